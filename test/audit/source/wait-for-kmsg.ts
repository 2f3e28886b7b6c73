// Runs as a child: waits for the kernel's log, is stopped, and must then end by itself.
import { KmsgSource } from '../../../src/audit/source/kmsg.ts'

const source = new KmsgSource({ pollMs: 3_600_000 })
setTimeout(() => source.stop(), 50)
for await (const _batch of source);
