import { child, type FieldIssue, invalidValue, notSupported, required, tooLong } from '../../field-issue.ts'
import { isObject, type JsonObject, type JsonValue, textOf } from '../json.ts'

const kinds = ['Localhost', 'RuntimeDefault', 'Unconfined']

/** A security context as the server prints it: its own struct. */
export const securityContextStruct = (context: JsonObject): JsonObject => ({
  Capabilities: struct(context.capabilities, { Add: 'add', Drop: 'drop' }),
  Privileged: context.privileged ?? null,
  SELinuxOptions: struct(context.seLinuxOptions, { User: 'user', Role: 'role', Type: 'type', Level: 'level' }, ''),
  WindowsOptions: context.windowsOptions ?? null,
  RunAsUser: context.runAsUser ?? null,
  RunAsGroup: context.runAsGroup ?? null,
  RunAsNonRoot: context.runAsNonRoot ?? null,
  ReadOnlyRootFilesystem: context.readOnlyRootFilesystem ?? null,
  AllowPrivilegeEscalation: context.allowPrivilegeEscalation ?? null,
  ProcMount: context.procMount ?? null,
  SeccompProfile: profileStruct(context.seccompProfile),
  AppArmorProfile: profileStruct(context.appArmorProfile),
})

function struct(
  value: JsonValue | undefined,
  fields: Readonly<Record<string, string>>,
  absent: JsonValue = null,
): JsonValue {
  if (!isObject(value)) return null
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, value[field] ?? absent]))
}

const profileStruct = (profile: JsonValue | undefined): JsonValue =>
  isObject(profile) ? { Type: profile.type ?? '', LocalhostProfile: profile.localhostProfile ?? null } : null

/** A path that stays below the folder of profiles. */
function descendingIssues(path: string, field: string): FieldIssue[] {
  if (path.startsWith('/')) return [invalidValue(field, path, 'must be a relative path')]
  return path.split('/').includes('..') ? [invalidValue(field, path, "must not contain '..'")] : []
}

/** What is wrong with a `seccompProfile`. */
export function seccompIssues(profile: JsonValue | undefined, field: string): FieldIssue[] {
  if (!isObject(profile)) return []
  const [type, path] = [textOf(profile.type), profile.localhostProfile]
  const place = child(field, 'localhostProfile')
  const word =
    type === ''
      ? [required(child(field, 'type'), 'type is required when seccompProfile is set')]
      : kinds.includes(type)
        ? []
        : [notSupported(child(field, 'type'), type, kinds)]
  if (type !== 'Localhost')
    return path === undefined
      ? word
      : [...word, invalidValue(place, profileStruct(profile), 'can only be set when seccomp type is Localhost')]
  if (path === undefined) return [...word, required(place, 'must be set when seccomp type is Localhost')]
  return [...word, ...descendingIssues(textOf(path), place)]
}

/** Bytes: PATH_MAX without the zero. */
const longestProfile = 4095

/** What is wrong with an `appArmorProfile`. */
export function appArmorIssues(profile: JsonValue | undefined, field: string): FieldIssue[] {
  if (!isObject(profile)) return []
  const [type, name] = [textOf(profile.type), profile.localhostProfile]
  const place = child(field, 'localhostProfile')
  if (type === '') return [required(child(field, 'type'), 'type is required when appArmorProfile is set')]
  if (!kinds.includes(type)) return [notSupported(child(field, 'type'), type, kinds)]
  if (type !== 'Localhost')
    return name === undefined
      ? []
      : [invalidValue(place, textOf(name), 'can only be set when AppArmor type is Localhost')]
  if (textOf(name) === '') return [required(place, 'must be set when AppArmor type is Localhost')]
  return [
    ...(textOf(name).trim() === textOf(name)
      ? textOf(name).trim() === ''
        ? [required(place, 'must be set when AppArmor type is Localhost')]
        : []
      : [invalidValue(place, textOf(name), 'must not be padded with whitespace')]),
    ...(Buffer.byteLength(textOf(name)) > longestProfile ? [tooLong(place, longestProfile)] : []),
  ]
}
