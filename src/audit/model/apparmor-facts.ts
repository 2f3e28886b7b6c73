import { slotOf } from '../decode/apparmor-fields.ts'
import { form } from '../decode/record-fields.ts'
import { type RecordPairs, textOf, written } from './record-text.ts'
import type { ProfileRecording } from './recorded.ts'

/** The fields that a key consists of. */
const telling = [
  slotOf.operation,
  slotOf.profile,
  slotOf.name,
  slotOf.deniedMask,
  slotOf.requestedMask,
  slotOf.netFamily,
  slotOf.netSockType,
  slotOf.netProtocol,
  slotOf.peer,
  slotOf.signal,
  slotOf.info,
  slotOf.name2,
  slotOf.srcName,
  slotOf.fsType,
  slotOf.flags,
] as const

/** The key of a record. Records of the same operation have the same key, regardless of their process and time. */
export function appArmorKey(pairs: RecordPairs): string {
  let key = isOwner(pairs) ? 'o' : ''
  for (const slot of telling) key += `\n${written(pairs, slot)}`
  return key
}

/** Whether the process's user owns the file: `ouid` and `fsuid` are present and equal. */
function isOwner(pairs: RecordPairs): boolean {
  const ouid = written(pairs, slotOf.ouid)
  return ouid !== '' && ouid === written(pairs, slotOf.fsuid)
}

/** Adds the behaviour in an AppArmor record. */
export function addAppArmorFact(pairs: RecordPairs, recording: ProfileRecording): void {
  const of = recording.appArmor
  of.profiles = withText(of.profiles, recording.profileName)
  const added = addKnown(pairs, recording)
  if (added) return
  of.unhandled = withText(of.unhandled, unhandledText(pairs))
}

function addKnown(pairs: RecordPairs, recording: ProfileRecording): boolean {
  const operation = written(pairs, slotOf.operation)
  switch (operation) {
    case 'exec':
      return addExecution(pairs, recording)
    case 'capable':
      return addCapability(pairs, recording)
    case 'ptrace':
      return addPtrace(pairs, recording)
    case 'signal':
      return addSignal(pairs, recording)
    default:
      if (pairs.fields.forms[slotOf.netFamily] !== form.absent) return addSocket(pairs, recording)
      return addFile(pairs, recording)
  }
}

/**
 * The record's name if it is an absolute path; undefined otherwise, because rules need an absolute path. A path that is
 * disconnected from its mount may start with any character.
 */
function pathOf(pairs: RecordPairs): string | undefined {
  const path = textOf(pairs, slotOf.name)
  return path?.startsWith('/') === true && !path.includes('\0') ? path : undefined
}

function addExecution(pairs: RecordPairs, { appArmor }: ProfileRecording): boolean {
  const path = pathOf(pairs)
  if (path === undefined) return false
  appArmor.executions = withText(appArmor.executions, path)
  return true
}

function addCapability(pairs: RecordPairs, { appArmor }: ProfileRecording): boolean {
  const name = written(pairs, slotOf.name)
  if (!/^[a-z_]{1,32}$/.test(name)) return false
  appArmor.capabilities = withText(appArmor.capabilities, name)
  return true
}

/** File permissions that rules can contain. In rules, `w` includes the permissions `c` and `d` of records. */
const fileModes = 'mrwalk'

function addFile(pairs: RecordPairs, { appArmor }: ProfileRecording): boolean {
  const path = pathOf(pairs)
  const mask = maskOf(pairs)
  if (path === undefined || mask === '' || isMount(pairs)) return false
  const permissions: string[] = []
  for (const letter of mask) {
    const mode = letter === 'c' || letter === 'd' ? 'w' : letter
    if (!fileModes.includes(mode)) return false
    if (!permissions.includes(mode)) permissions.push(mode)
  }
  appArmor.files ??= []
  appArmor.files.push({ path, owner: isOwner(pairs), permissions })
  return true
}

/** Whether the record is about a mount. It also has a name, so the name alone does not show that it is about a file. */
const isMount = ({ fields }: RecordPairs): boolean =>
  fields.forms[slotOf.fsType] !== form.absent ||
  fields.forms[slotOf.flags] !== form.absent ||
  fields.forms[slotOf.srcName] !== form.absent

function maskOf(pairs: RecordPairs): string {
  const denied = written(pairs, slotOf.deniedMask)
  return denied === '' ? written(pairs, slotOf.requestedMask) : denied
}

function addSocket(pairs: RecordPairs, { appArmor }: ProfileRecording): boolean {
  const [domain, type, protocol] = [slotOf.netFamily, slotOf.netSockType, slotOf.netProtocol].map((slot) =>
    written(pairs, slot),
  ) as [string, string, string]
  if (!/^[a-z0-9_]{1,32}$/.test(domain) || !/^[a-z0-9_]{0,32}$/.test(type)) return false
  const socket = { domain, ...(type !== '' && { type }), ...(/^\d{1,9}$/.test(protocol) && { protocol }) }
  appArmor.networks ??= {}
  appArmor.networks.sockets ??= []
  appArmor.networks.sockets.push(socket)
  return true
}

/** The label without `//null-…`, which the kernel appends when no rule covers the program that a process executes. */
const withoutChild = (label: string): string => label.split('//null-', 1)[0]!

function peerOf(pairs: RecordPairs): string | undefined {
  const peer = textOf(pairs, slotOf.peer)
  return peer === undefined || peer === '' ? undefined : withoutChild(peer)
}

function addPtrace(pairs: RecordPairs, { appArmor }: ProfileRecording): boolean {
  const peer = peerOf(pairs)
  const permissions = wordsOf(maskOf(pairs))
  if (peer === undefined || permissions.length === 0) return false
  appArmor.ptraces ??= []
  appArmor.ptraces.push({ peer, permissions })
  return true
}

function addSignal(pairs: RecordPairs, { appArmor }: ProfileRecording): boolean {
  const peer = peerOf(pairs)
  const [permissions, signals] = [wordsOf(maskOf(pairs)), wordsOf(written(pairs, slotOf.signal))]
  if (peer === undefined || permissions.length === 0 || signals.length === 0) return false
  appArmor.signals ??= []
  appArmor.signals.push({ peer, permissions, signals })
  return true
}

const wordsOf = (text: string): string[] => text.split(' ').filter((word) => /^[a-z0-9_+]{1,32}$/.test(word))

/** Maximum characters of the text that quotes a record which no rule can express. */
const maxUnhandled = 512

/** The fields about the operation itself. Fields about its process or time are left out. */
const unhandledNames = [
  'operation',
  'info',
  'name',
  'name2',
  'requestedMask',
  'deniedMask',
  'fsType',
  'srcName',
  'flags',
  'peer',
  'peerProfile',
  'dbusBus',
  'dbusPath',
  'dbusInterface',
  'dbusMember',
] as const

function unhandledText(pairs: RecordPairs): string {
  const parts = unhandledNames.flatMap((name) => {
    if (pairs.fields.forms[slotOf[name]] === form.absent) return []
    const value = textOf(pairs, slotOf[name]) ?? written(pairs, slotOf[name])
    return [`${name}=${JSON.stringify(value)}`]
  })
  // The cut may leave half of a surrogate pair at the end, and managers refuse such a text.
  return parts
    .join(' ')
    .slice(0, maxUnhandled)
    .replace(/[\uD800-\uDBFF]$/, '')
}

function withText(list: string[] | undefined, text: string): string[] {
  if (list === undefined) return [text]
  // The merge removes other duplicates, and `ProfileRecording` skips nearly all known facts.
  if (list.at(-1) !== text) list.push(text)
  return list
}
