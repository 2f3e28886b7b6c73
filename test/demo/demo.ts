/**
 * Demonstrates the way from `kubectl apply` to a real kernel that refuses an operation, and to the log line about it.
 * It uses a sandbox on this machine, a node in a virtual machine, and the policy of the user's document, and changes
 * nothing on the host. Exits with 0 only if every step kept its promise. ENFORCER is as in a policy: AppArmor, BPF,
 * Seccomp, or a combination; default AppArmorBPF. With KEEP=1 everything runs until Ctrl-C.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pino } from 'pino'
import type { VarmorPolicy } from '../../src/api/types.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { checkLine } from '../audit/check-line.ts'
import { type CommandResult, result } from '../cluster/command.ts'
import { printSteps } from '../cluster/steps.ts'
import { GuestNode, hostAddress } from '../kernel/guest/guest-node.ts'
import { onceMoreAfterEmulation } from '../kernel/guest/once-more.ts'
import { chosen, type Enforced } from './enforced.ts'
import { joinSandbox } from './join-sandbox.ts'
import { findKubectl } from './kubectl.ts'
import { paint, Script, say } from './script.ts'

const policyFile = 'test/fixtures/policies/usage-example.yaml'
const deploymentFile = 'test/demo/nginx.yaml'
const policyName = 'varmorpolicy/deployment-policy'
const enforcer = process.env['ENFORCER'] || 'AppArmorBPF'
const { own, enforcers } = chosen(enforcer)
/** Settings by which refusals are reported, and by which pods that already run are restarted. */
const reporting = {
  updateExistingWorkloads: true,
  policy: { enforcer, enhanceProtect: { auditViolations: true, ...own } },
}
const keep = Boolean(process.env['KEEP'])

/** Timeout of each wait in milliseconds, for a slow machine without KVM. */
const timeout = 300_000

interface Violation {
  level: string
  action: string
  podName: string
  podNamespace: string
  containerName: string
  image?: string
  policyName?: string
  enforcer: string
  event: Record<string, unknown>
}

let script = new Script()
const folder = mkdtempSync(join(tmpdir(), 'varmor-demo-'))
const kubectlPath = await findKubectl(say)
let sandbox: Sandbox | undefined
let node: GuestNode | undefined

async function kubectl(...args: string[]): Promise<CommandResult> {
  say(paint('dim', `$ kubectl ${args.map(quoted).join(' ')}`))
  return quietly(...args)
}

const quoted = (word: string): string => (/^[\w./:=@,-]+$/.test(word) ? word : `'${word}'`)

const quietly = (...args: string[]): Promise<CommandResult> =>
  whileNodeLives(result(kubectlPath, ['--kubeconfig', sandbox!.kubeconfigPath, ...args]))

/**
 * The result of the promise.
 * @throws at once if the virtual machine ends, with the last lines of its console
 */
const whileNodeLives = <T>(promise: Promise<T>): Promise<T> => node?.unlessEnded(promise) ?? promise

async function until<T>(what: string, poll: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const end = performance.now() + timeout; performance.now() < end; ) {
    const seen = await poll()
    if (seen !== undefined) return seen
    await whileNodeLives(pause(100))
  }
  throw new Error(`timed out after ${timeout / 1000} s waiting for ${what}; see the files in ${folder}`)
}

/** The policy, when every node has loaded its current version. */
const protecting = (): Promise<VarmorPolicy> =>
  until('a policy that is Ready', async () => {
    const { stdout, status } = await quietly('get', policyName, '-o', 'json')
    if (status !== 0) return undefined
    const policy = JSON.parse(stdout) as VarmorPolicy
    const isCurrent = policy.status?.observedGeneration === policy.metadata.generation
    return isCurrent && policy.status?.ready === true ? policy : undefined
  })

const attack = ({ command }: Enforced): Promise<CommandResult> =>
  kubectl('exec', 'deploy/nginx', '--', 'sh', '-c', command)

function showAttempt({ status, stdout, stderr }: CommandResult): void {
  script.show(`${stdout}${stderr}`.trim() || '(no output)')
  script.show(`exit status ${status}`)
}

/** The first violation that the enforcer's attack causes after the first `count` violations. */
const violationAfter = (count: number, one: Enforced): Promise<{ line: string; violation: Violation }> =>
  until(`a violation that ${one.enforcer} reports`, () => {
    for (const line of node!.violations.slice(count)) {
      const violation = checkLine(line) as unknown as Violation
      const isIt = Object.entries(one.event).every(([key, value]) => violation.event[key] === value)
      if (violation.enforcer === one.enforcer && isIt) return { line, violation }
    }
    return undefined
  })

/**
 * The user's policy. Without AppArmor among the enforcers, it is created without AppArmor, which cannot be removed from
 * an existing policy.
 */
function withEnforcers(): string {
  if (enforcers.some((one) => one.enforcer === 'AppArmor')) return policyFile
  const path = join(folder, 'policy.yaml')
  writeFileSync(path, readFileSync(policyFile, 'utf8').replace('enforcer: AppArmor', `enforcer: ${enforcer}`))
  return path
}

async function patch(what: object): Promise<void> {
  const text = JSON.stringify({ spec: what })
  const { stdout, stderr } = await kubectl('patch', policyName, '--type', 'merge', '-p', text)
  script.show(stdout || stderr)
  await protecting()
}

async function demonstrate(): Promise<void> {
  await script.step('A sandbox on this machine, and a node with a real kernel in a virtual machine', async () => {
    const booting = GuestNode.boot({ name: 'kernel-node', kernel: '6.12', logs: folder, steps: printSteps })
    const logger = pino({}, pino.destination(join(folder, 'sandbox.log')))
    // If one part fails, the other part must not keep running.
    const [guest, cluster] = await Promise.allSettled([
      booting,
      Sandbox.start({ nodes: 0, outsideAddress: hostAddress, logger }),
    ])
    if (guest.status === 'fulfilled') node = guest.value
    if (cluster.status === 'fulfilled') sandbox = cluster.value
    if (guest.status === 'rejected') throw guest.reason
    if (cluster.status === 'rejected') throw cluster.reason
    await joinSandbox(node!, sandbox!)
    await until('the node', async () => / Ready /.test((await quietly('get', 'nodes')).stdout) || undefined)
    const { stdout } = await kubectl('get', 'nodes', '-o', 'wide')
    script.show(stdout)
    script.promise('the node is Ready', /kernel-node\s+Ready/.test(stdout))
  })

  await script.step(`The user's own policy and Deployment, enforced by ${enforcer}`, async () => {
    script.show((await kubectl('apply', '-f', withEnforcers())).stdout)
    say('As written, the policy refuses without reports, and does not restart pods. The demonstration turns both on:')
    await patch(reporting)
    script.show((await kubectl('apply', '-f', deploymentFile)).stdout)
    const rollout = await kubectl('rollout', 'status', 'deployment/nginx', `--timeout=${timeout / 1000}s`)
    script.show(rollout.stdout.trim().split('\n').at(-1) ?? '')
    const { stdout } = await kubectl('get', policyName)
    script.show(stdout)
    script.promise('the phase of the policy is Protecting', /Protecting/.test(stdout))
    script.show((await kubectl('get', 'pods', '-o', 'wide')).stdout)
  })

  await script.step('The kernel refuses forbidden operations', async () => {
    for (const one of enforcers) {
      const attempt = await attack(one)
      showAttempt(attempt)
      script.promise(`${one.enforcer}: ${one.says}`, attempt.status !== 0 && attempt.stderr.includes(one.says))
    }
    const harmless = await kubectl(
      'exec',
      'deploy/nginx',
      '--',
      'sh',
      '-c',
      'touch /tmp/5 && cat /etc/passwd | head -n 1',
    )
    showAttempt(harmless)
    script.promise('other operations work', harmless.status === 0)
  })

  for (const one of enforcers) {
    if (one.silent) {
      say(`\n${one.enforcer} does not report refused calls: the kernel reports only allowed calls.`)
      continue
    }
    await script.step(`The violation that ${one.enforcer} reported, as violations.log has it`, () => showViolation(one))
  }

  await script.step('With allowViolations, the commands work and are only reported', async () => {
    await patch({ policy: { enhanceProtect: { allowViolations: true } } })
    if (enforcers.some(({ enforcer: name }) => name === 'Seccomp')) await renewPods()
    for (const one of enforcers) {
      const before = node!.violations.length
      const attempt = await attack(one)
      showAttempt(attempt)
      script.promise(`${one.enforcer}: the command works`, attempt.status === 0)
      const { line, violation } = await violationAfter(before, { ...one, event: one.observed })
      script.show(line)
      script.promise(
        'the line has the level debug and the action AUDIT',
        violation.level === 'debug' && /AUDIT/.test(violation.action),
      )
    }
  })

  await script.step('After the policy is deleted, pods restart one by one and are not confined', async () => {
    const before = await podNames()
    script.show((await kubectl('delete', policyName)).stdout)
    const min = await watchRestart(before)
    script.show((await kubectl('get', 'pods')).stdout)
    script.promise(
      'all pods are new',
      (await podNames()).every((name) => !before.includes(name)),
    )
    script.promise('one of the two pods was always ready', min >= 1)
    for (const one of enforcers) {
      const attempt = await attack(one)
      showAttempt(attempt)
      script.promise('the command works again', attempt.status === 0)
    }
    const { stdout } = await kubectl('get', 'varmorpolicies,armorprofiles', '-A')
    script.promise('all objects of the policy are deleted', stdout.trim() === '')
  })
}

/** Replaces the pods, because a process keeps its seccomp filter until it ends. */
async function renewPods(): Promise<void> {
  const before = await podNames()
  await kubectl('rollout', 'restart', 'deployment/nginx')
  await watchRestart(before)
}

async function showViolation(one: Enforced): Promise<void> {
  const { line, violation } = await violationAfter(0, one)
  script.show(JSON.stringify(violation, null, 2), 80)
  say('The line in the log:')
  script.show(line)
  const pods = (await quietly('get', 'pods', '-l', 'app=nginx', '-o', 'name')).stdout
  script.promise(
    'the line names the pod',
    pods.includes(`pod/${violation.podName}\n`) && violation.podNamespace === 'default',
  )
  script.promise(
    'the line names the container and its image',
    violation.containerName === 'c1' && /busybox/.test(violation.image ?? ''),
  )
  script.promise('the line names the policy', violation.policyName === 'deployment-policy')
  script.promise(
    'the line says that the operation was refused',
    violation.level === 'warn' && violation.action === 'DENIED',
  )
}

const podNames = async (): Promise<string[]> =>
  (await quietly('get', 'pods', '-l', 'app=nginx', '-o', 'jsonpath={.items[*].metadata.name}')).stdout.split(' ')

interface DeploymentCounts {
  status: { readyReplicas?: number; updatedReplicas?: number; replicas?: number }
}

/** @returns the lowest number of ready pods during the restart */
async function watchRestart(before: readonly string[]): Promise<number> {
  let min = Number.POSITIVE_INFINITY
  await until('the end of the restart', async () => {
    const { stdout } = await quietly('get', 'deployment', 'nginx', '-o', 'json')
    const { status } = JSON.parse(stdout) as DeploymentCounts
    min = Math.min(min, status.readyReplicas ?? 0)
    const names = await podNames()
    const isDone = names.length === 2 && names.every((name) => !before.includes(name)) && status.readyReplicas === 2
    return isDone || undefined
  })
  return min
}

async function keepRunning(): Promise<void> {
  say(`
${paint('bold', 'The sandbox and the node keep running.')} In another terminal, in ${process.cwd()}, run:

    export KUBECONFIG=${sandbox!.kubeconfigPath}
    ${kubectlPath} apply -f ${policyFile}
    ${kubectlPath} patch ${policyName} --type merge -p '${JSON.stringify({ spec: reporting })}'
    ${kubectlPath} exec deploy/nginx -- sh -c '${enforcers[0]!.command}'
    npx tsx src/cli/varmor.ts logs -f --file ${join(folder, 'violations.log')}

Press Ctrl-C to stop them.`)
  // A timer keeps the process alive; a promise alone would not.
  const alive = setInterval(() => undefined, 60_000)
  await Promise.race([new Promise((resolve) => process.once('SIGINT', resolve)), node!.guest.ended])
  clearInterval(alive)
}

/** Removes all traces of an attempt that failed because of a fault of the emulation, and starts again. */
async function demonstrateAgain(): Promise<void> {
  await node?.stop()
  await sandbox?.stop()
  node = sandbox = undefined
  script = new Script()
  await demonstrate()
}

let kept = false
const problem: unknown = await onceMoreAfterEmulation('the demonstration runs', demonstrateAgain, say).then(
  () => undefined,
  (error: unknown) => error,
)
if (problem !== undefined) script.promise(problem instanceof Error ? problem.message : String(problem), false)
const asPromised = script.finish()
say(`Logs of the sandbox, the kubelet and the agent, and violations.log: ${folder}`)
if (keep && node !== undefined && sandbox !== undefined) await keepRunning()
kept = !asPromised
await node?.stop()
await sandbox?.stop()
if (!kept) rmSync(folder, { recursive: true, force: true })
else say(paint('yellow', `the files are kept: ${folder}`))
process.exit(asPromised ? 0 : 1)
