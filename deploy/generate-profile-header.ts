import { writeFileSync } from 'node:fs'
import { bucketStructs } from '../src/audit/decode/bpf-buckets.ts'
import { changes, stateStructs } from '../src/enforcer/bpf/layout.ts'
import { profileHeader } from '../src/profile/bpf/profile-header.ts'

const path = new URL('../native/bpf/varmor_profile.h', import.meta.url)
writeFileSync(path, profileHeader([...stateStructs, ...bucketStructs], [changes]))
console.log('native/bpf/varmor_profile.h')
