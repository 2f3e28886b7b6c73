import type { UserInfo } from '../request.ts'
import type { JsonObject } from '../schema/json.ts'

/** A user in the API's form. */
export function userObject({ name, uid, groups, extra = {} }: UserInfo): JsonObject {
  const more = Object.entries(extra).map(([key, values]) => [key, [...values]])
  return {
    username: name,
    ...(uid ? { uid } : {}),
    groups: [...groups],
    ...(more.length > 0 ? { extra: Object.fromEntries(more) } : {}),
  }
}
