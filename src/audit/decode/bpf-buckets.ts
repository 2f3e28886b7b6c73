import { struct } from '../../base/c-struct.ts'

/** The map entries of the BPF programs' rate limits. native/bpf/varmor_profile.h is generated from them. */

export const bucketKey = struct('varmor_bucket_key', 'Key of a bucket: a container and a kind of its records.', [
  { name: 'container', type: 'u32', what: 'number of the container' },
  { name: 'kind', type: 'u32', what: 'enum varmor_event_kind' },
])

export const bucket = struct(
  'varmor_bucket',
  'Tokens for these records: each record takes a token; a record without a token is held back.',
  [
    { name: 'full_at', type: 'u64', what: 'time (bpf_ktime_get_boot_ns()) at which the bucket is full again' },
    { name: 'held', type: 'u64', what: 'records held back since the programs were loaded' },
  ],
)

export const bucketStructs = [bucketKey, bucket] as const
