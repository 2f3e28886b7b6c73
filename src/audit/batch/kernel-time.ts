import { newline } from '../../base/bytes.ts'
import { readAuditId } from '../decode/audit-id.ts'
import { header } from '../decode/bpf-record.ts'
import { locateKmsgRecord, locateRecord } from '../decode/locate-record.ts'
import type { BatchFormat } from './batch.ts'
import type { BatchContext } from './batch-context.ts'

/** Maximum lines that are searched for a time. The search runs once for each batch, so its cost is negligible. */
const looked = 32

/**
 * Time at which the kernel created the first record of a batch, in milliseconds since the Unix epoch. undefined if the
 * first lines do not contain a kernel audit record with a time.
 */
export function firstKernelTime(context: BatchContext, format: BatchFormat): number | undefined {
  return format === 'record' ? timeOfRecord(context) : timeOfLine(context)
}

function timeOfRecord({ view, bytes, snapshot }: BatchContext): number | undefined {
  if (bytes.length < header.size) return undefined
  return snapshot.bootTime * 1_000 + Number(view.getBigUint64(header.at.time, true)) / 1e6
}

function timeOfLine({ bytes, buffer, kmsg, scratch }: BatchContext): number | undefined {
  const { place, id } = scratch
  for (let start = 0, line = 0; start < bytes.length && line < looked; line++) {
    const found = buffer.indexOf(newline, start)
    const end = found === -1 ? bytes.length : found
    if (kmsg) locateKmsgRecord(bytes, start, end, scratch.trust, place)
    else locateRecord(bytes, start, end, scratch.trust, place)
    if (place.audit !== -1 && readAuditId(bytes, place.audit, end, id) !== -1)
      return (id.epoch + Number(`0${buffer.toString('latin1', id.fractionStart, id.fractionEnd)}`)) * 1_000
    start = end + 1
  }
  return undefined
}
