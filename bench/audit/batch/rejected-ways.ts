/** Alternatives to process-batch.ts for AppArmor's file records, only for comparison. */
import { Buffer } from 'node:buffer'
import type { ContainerInfo, PolicyIdentity, SnapshotData } from '../../../src/audit/enrich/snapshot.ts'
import { processesOfContainer } from '../made-up.ts'

type Way = (batch: Uint8Array) => { records: number; output: Buffer }

const zeroTail =
  '"name2":"","namespace":"","attribute":"","parent":0,"info":"","peerInfo":"","errorCode":0,"activeHat":"","netFamily":"","netProtocol":"","netSockType":"","netLocalAddr":"","netLocalPort":0,"netForeignAddr":"","netForeignPort":0,"dbusBus":"","dbusPath":"","dbusInterface":"","dbusMember":"","signal":"","peer":"","fsType":"","flags":"","srcName":""}'

const ownerOf = (data: SnapshotData, pid: number): ContainerInfo =>
  data.containers[Math.floor((pid - 10_000) / processesOfContainer)]!

function container({ containerID, containerName, image, podName, podNamespace, podUID }: ContainerInfo) {
  return { containerID, containerName, image, podName, podNamespace, podUID }
}

const policyOf = ({ profileName, kind, name, namespace }: PolicyIdentity) => ({
  profileName,
  policyKind: kind,
  policyName: name,
  policyNamespace: namespace,
})

/**
 * Reads the batch as one latin1 string, with indexOf and slice, and writes one long concatenation with latin1Write. It
 * checks no values.
 */
export function asOneString(data: SnapshotData): Way {
  const starts = data.containers.map((info) =>
    JSON.stringify({ level: 'warn', metadata: {}, nodeName: data.nodeName, ...container(info) }).slice(0, -1),
  )
  const heads = data.policies.map((policy) =>
    JSON.stringify({ eventType: 'AppArmor', enforcer: 'AppArmor', action: 'DENIED', ...policyOf(policy) }).slice(1, -1),
  )
  const target = Buffer.allocUnsafeSlow(4_000_000)
  let second = ''
  let time = ''
  return (batch) => {
    const text = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength).toString('latin1')
    let output = ''
    let records = 0
    for (let start = 0; start < text.length; records++) {
      const end = text.indexOf('\n', start)
      const value = (key: string, stop: string): string => {
        const from = text.indexOf(key, start) + key.length
        return text.slice(from, text.indexOf(stop, from))
      }
      const id = value('audit(', ')')
      const epoch = id.slice(0, 10)
      const serial = id.slice(15)
      const pid = value(' pid=', ' ')
      const owner = Math.floor((Number(pid) - 10_000) / processesOfContainer)
      if (epoch !== second) {
        second = epoch
        time = new Date(Number(epoch) * 1000).toISOString().replace('.000', '')
      }
      output += `${starts[owner]},"pid":${pid},"mntNsID":${data.containers[owner]!.mntNsID},"eventTimestamp":${epoch},${heads[owner]},"event":{"version":1,"event":4,"pid":${pid},"peerPID":0,"task":0,"magicToken":0,"epoch":${epoch},"auditSubId":${serial},"auditSubID":${serial},"bitMask":0,"auditID":"${id}","operation":"${value(' operation="', '"')}","deniedMask":"${value(' denied_mask="', '"')}","requestedMask":"${value(' requested_mask="', '"')}","fsuid":${value(' fsuid=', ' ')},"ouid":${text.slice(text.indexOf(' ouid=', start) + 6, end)},"profile":"${value(' profile="', '"')}","peerProfile":"","comm":"${value(' comm="', '"')}","name":"${value(' name="', '"')}",${zeroTail},"time":"${time}","message":"violation event","class":"${value(' class="', '"')}"}\n`
      start = end + 1
    }
    const length = target.write(output, 'latin1')
    return { records, output: target.subarray(0, length) }
  }
}

const zeroFields = JSON.parse(`{${zeroTail}`) as Record<string, unknown>

/** Reads one line at a time, with a regular expression for the pairs, an object, and JSON.stringify. */
export function plainWay(data: SnapshotData): Way {
  return (batch) => {
    const lines = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength).toString().trimEnd().split('\n')
    const output = lines.map((line) => {
      const pairs: Record<string, string> = {}
      for (const [, key, quoted, bare] of line.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)) pairs[key!] = quoted ?? bare!
      const [, id, epoch, serial] = /audit\(((\d+)\.\d+:(\d+))\)/.exec(line)!
      const pid = Number(pairs['pid'])
      const info = ownerOf(data, pid)
      const policy = data.policies.find(({ profileName }) => profileName === info.profileName)!
      const event = {
        version: 1,
        event: 4,
        pid,
        peerPID: 0,
        task: 0,
        magicToken: 0,
        epoch: Number(epoch),
        auditSubId: Number(serial),
        auditSubID: Number(serial),
        bitMask: 0,
        auditID: id,
        operation: pairs['operation'],
        deniedMask: pairs['denied_mask'],
        requestedMask: pairs['requested_mask'],
        fsuid: Number(pairs['fsuid']),
        ouid: Number(pairs['ouid']),
        profile: pairs['profile'],
        peerProfile: '',
        comm: pairs['comm'],
        name: pairs['name'],
        ...zeroFields,
      }
      const time = new Date(Number(epoch) * 1000).toISOString().replace('.000', '')
      const head = {
        level: 'warn',
        metadata: {},
        nodeName: data.nodeName,
        ...container(info),
        pid,
        mntNsID: info.mntNsID,
      }
      const middle = {
        eventTimestamp: Number(epoch),
        eventType: 'AppArmor',
        enforcer: 'AppArmor',
        action: 'DENIED',
        ...policyOf(policy),
      }
      return JSON.stringify({ ...head, ...middle, event, time, message: 'violation event', class: pairs['class'] })
    })
    return { records: lines.length, output: Buffer.from(`${output.join('\n')}\n`) }
  }
}
