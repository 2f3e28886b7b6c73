import { parseArgs } from 'node:util'
import { bootOf } from '../../../../src/agent/lifecycle/boot.ts'
import { startViolationPipeline } from '../../../../src/agent/violations/violation-pipeline.ts'
import type { ContainerInfo, PolicyIdentity } from '../../../../src/audit/enrich/snapshot.ts'
import { SnapshotFeed } from '../../../../src/audit/enrich/snapshot-feed.ts'
import { noLogger } from '../../../../src/base/logger.ts'
import { type Opening, openEnforcer } from './enforcer.ts'

/** The program's task, from its only argument, which is JSON. */
export interface Orders {
  log: string
  container: ContainerInfo
  policy: PolicyIdentity
  /** Profile contents that the program loads in turn without end. */
  contents: readonly string[]
  opening: Opening
}

/**
 * Runs an agent's BPF enforcer until the process is killed: it replaces a profile repeatedly and writes violations.
 * Prints a line for each replacement.
 */
async function run({ log, container, policy, contents, opening }: Orders): Promise<never> {
  const enforcer = await openEnforcer(opening)
  await enforcer.settle([{ id: container.containerID, profile: policy.profileName }])
  const bpfNumber = enforcer.numberOf(container.containerID)!
  const feed = new SnapshotFeed({
    ...{ version: 1, nodeName: 'guest', metadata: {}, policies: [policy], ...bootOf('/proc') },
    containers: [{ ...container, bpfNumber }],
  })
  const logger = {
    ...noLogger,
    warn: (fields: object, message: string) => console.log(message, JSON.stringify(fields)),
  }
  const pipeline = await startViolationPipeline({
    ...{ feed, log, logger, fromStart: false, workers: 1, request: { kind: 'multicast' } },
    ring: () => enforcer.folder,
    // One file is large enough for all lines, so that the test can count them.
    limits: { maxSize: '1G' },
  })
  if ('why' in pipeline) throw new Error(pipeline.why)
  for (let i = 0; ; i++) {
    await enforcer.load(policy.profileName, contents[i % contents.length]!)
    console.log(`replaced ${i}`)
  }
}

const { positionals } = parseArgs({ allowPositionals: true })
if (positionals[0] !== undefined) await run(JSON.parse(positionals[0]) as Orders)
