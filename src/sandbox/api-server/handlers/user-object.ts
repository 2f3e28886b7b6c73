import type { UserInfo } from '../request.ts'
import type { JsonObject } from '../schema/json.ts'

/** A user as the API writes one. */
export function userObject({ name, uid, groups, extra = {} }: UserInfo): JsonObject {
  const more = Object.entries(extra).map(([key, values]) => [key, [...values]])
  return {
    username: name,
    ...(uid ? { uid } : {}),
    groups: [...groups],
    ...(more.length > 0 ? { extra: Object.fromEntries(more) } : {}),
  }
}
