import { Buffer } from 'node:buffer'
import type { EnhanceProtect } from '../../../src/api/types.ts'
import { encodeProfile } from '../../../src/profile/bpf/encode.ts'
import { encodeOwnAddresses } from '../../../src/profile/bpf/encode-egress.ts'
import { TABLES_OF_PROFILE } from '../../../src/profile/bpf/layout.ts'
import { PROFILES } from '../../../src/profile/bpf/limits.ts'
import type { MapWrite } from '../../../src/profile/bpf/map-write.ts'
import { privileged } from '../../profile/bpf/compiled.ts'
import { countedTables } from '../../profile/bpf/counted-tables.ts'

export const profileId = 42
/** The last container number, which under-profile.c gives its command: it uses the last entries of all maps. */
const slot = PROFILES - 1
const tables = slot * TABLES_OF_PROFILE

/** The number of the container in under-profile.c. */
const container = 1

/** Encodes a write for put-profile.h: the sizes of name, key, value and inner map, then name, key and value. */
export function writeBytes({ map, key, value, inner = 0 }: MapWrite): Buffer {
  const sizes = Buffer.from(Uint32Array.of(map.length, key.length, value.length, inner).buffer)
  return Buffer.concat([sizes, Buffer.from(map), key, value])
}

/** The writes for a policy's profile and for the addresses of the container's pod. */
export const profileBytes = (rules: EnhanceProtect, addresses: readonly string[] = []): Buffer =>
  Buffer.concat(
    [
      ...encodeOwnAddresses(addresses, container),
      ...encodeProfile(privileged(rules), { slot, id: profileId, placeTable: countedTables(tables) }),
    ].map(writeBytes),
  )
