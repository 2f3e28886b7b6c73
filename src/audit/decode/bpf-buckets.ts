import { struct } from '../../base/c-struct.ts'

/** The data of the BPF programs' rate limits, as in their maps: a part of native/bpf/varmor_profile.h. */

export const bucketKey = struct('varmor_bucket_key', 'A container and a kind of its records.', [
  { name: 'container', type: 'u32', what: 'its number' },
  { name: 'kind', type: 'u32', what: 'enum varmor_event_kind' },
])

export const bucket = struct(
  'varmor_bucket',
  'The tokens of these records: each takes one, and those without one are held back.',
  [
    { name: 'full_at', type: 'u64', what: 'bpf_ktime_get_boot_ns() at which all tokens are there again' },
    { name: 'held', type: 'u64', what: 'records that were held back, since the programs were loaded' },
  ],
)

export const bucketStructs = [bucketKey, bucket] as const
