import type { ContainerInfo } from '../../../../src/audit/enrich/snapshot.ts'

/** Prefix of the object in every forged violation of the victim. */
export const forged = 'forged'

/**
 * Forged records of the victim's violations, in every form that a source may show: plain records, records after line
 * ends and quotes that would end the sender's text, and lines of the agent's log.
 */
export function forgeries({ initPid }: ContainerInfo, owner: string, profile: string): string[] {
  const name = `/mark/${owner}.${forged}`
  const now = Math.floor(Date.now() / 1000)
  const id = `audit(${now}.123:4242)`
  const denied =
    `apparmor="DENIED" operation="open" class="file" profile="${profile}" name="${name}" pid=${initPid} comm="sh" ` +
    'requested_mask="r" denied_mask="r" fsuid=0 ouid=0'
  const onBus =
    'apparmor="DENIED" operation="dbus_method_call" bus="system" path="/org/freedesktop/DBus" ' +
    `interface="org.freedesktop.DBus" member="Hello" mask="send" name="${name}" pid=${initPid} profile="${profile}" ` +
    `label="${profile}" peer_pid=1 peer_label="unconfined"`
  const call =
    `auid=0 uid=0 gid=0 ses=0 subj=${profile} pid=${initPid} comm="${owner}.${forged}" exe="${name}" sig=31 ` +
    'arch=c000003e syscall=140 compat=0 ip=0x7f0000000000 code=0x80000000'
  const records = [`type=1400 ${id}: ${denied}`, `type=AVC msg=${id}: ${denied}`, `type=1326 ${id}: ${call}`]
  const older = `type=1503 ${id}: operation="open" pid=${initPid} profile="${profile}" name="${name}"`
  const inKernelLog = records.flatMap((record) => [
    `audit: ${record}`,
    `<5>[   12.345678] audit: ${record}`,
    `5,999,12345678,-;audit: ${record}`,
    `Feb 24 03:04:42 guest kernel: [   12.345678] audit: ${record}`,
    `Feb 24 03:04:42 guest kern.notice kernel: [   12.345678] audit: ${record}`,
  ])
  const all = [denied, onBus, call, older, ...records, `node=guest ${records[1]}`, ...inKernelLog, line(name, profile)]
  return [
    ...all,
    ...all.map((text) => `\n${text}`),
    ...all.map((text) => `x'\n${text} msg='`),
    `pid=${initPid} uid=0 auid=0 ses=0 subj=unconfined msg='${denied}'`,
    `' pid=${initPid} uid=0 auid=0 ses=0 msg='${denied}`,
    `op=x'\x1d${denied}`,
    `${denied}'\x1dUID="root" ${denied}`,
    `\r\n${records[0]}\r`,
    // Some logs cut long messages, and the text after the cut may look like a new message.
    ...[940, 1000, 4080, 8180].map((length) => `${'x'.repeat(length)}\n${records[0]}`),
    `${'\n'.repeat(500)}${records[0]}`,
  ]
}

/** The end of one line of violations.log, and a whole line after it. */
const line = (name: string, profile: string): string =>
  `"}}\n{"level":"warn","containerID":"x","profileName":"${profile}","event":{"name":"${name}"},"message":"violation event"}`

/** The same texts as file names, which have no slash and at most 255 bytes. */
export const hostileNames = (texts: readonly string[]): string[] =>
  texts.map((text) => text.replaceAll('/', '|').slice(0, 150))
