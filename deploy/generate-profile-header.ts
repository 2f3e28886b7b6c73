import { writeFileSync } from 'node:fs'
import { profileHeader } from '../src/profile/bpf/profile-header.ts'

const path = new URL('../native/bpf/varmor_profile.h', import.meta.url)
writeFileSync(path, profileHeader())
console.log('native/bpf/varmor_profile.h')
