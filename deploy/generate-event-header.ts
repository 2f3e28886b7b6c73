import { writeFileSync } from 'node:fs'
import { eventHeader } from '../src/audit/decode/bpf-header.ts'

const path = new URL('../native/bpf/varmor_event.h', import.meta.url)
writeFileSync(path, eventHeader())
console.log('native/bpf/varmor_event.h')
