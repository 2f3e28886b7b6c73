import { hostname } from 'node:os'
import { runAuditOnly } from '../agent/audit-only.ts'
import { parseRequest } from '../audit/source/choose-source.ts'
import type { AgentArguments } from '../options/agent.ts'
import { type Checked, logProblems, metricsOf, pipelineOf } from './agent-arguments.ts'
import { parseMetadata } from './metadata.ts'
import { metricsProblem } from './metrics-arguments.ts'
import { misuse } from './misuse.ts'
import { printable } from './output.ts'
import { roleLogger } from './role-logger.ts'

/** Runs the agent until SIGTERM or SIGINT. Returns the exit status. */
export async function agentCommand(given: AgentArguments): Promise<number> {
  const parsed = parseRequest(given.auditSource, given.auditLogPaths)
  const metadata = parseMetadata(given.metadata)
  const ofMetrics = metricsProblem(given)
  const problems = [
    ...(ofMetrics === undefined ? [] : [ofMetrics]),
    ...(parsed.ok ? [] : parsed.problems),
    ...(metadata.ok ? [] : [metadata.problem]),
    ...logProblems(given),
    ...(given.auditOnly && given.containers === undefined ? ['--audit-only needs --containers <file>'] : []),
    ...(!given.auditOnly && given.containers !== undefined
      ? ['--containers works only with --audit-only; otherwise the agent asks the container runtime']
      : []),
    ...(given.policies !== undefined ? standaloneProblems(given) : []),
  ]
  if (!parsed.ok || !metadata.ok || problems.length > 0) {
    for (const problem of problems) process.stderr.write(`error: ${printable(problem)}\n`)
    return misuse
  }
  const checked = { request: parsed.request, metadata: metadata.value }
  if (given.auditOnly) return auditOnly(given, checked)
  // The code for a cluster takes most of the start time and memory, so --audit-only does not load it.
  const { wholeAgent } = await import('./whole-agent.ts')
  return wholeAgent(given, checked)
}

/** Errors for options that need a cluster, or that contradict --policies. */
function standaloneProblems({ auditOnly, kubeconfig, context, namespace, manager, managerCa }: AgentArguments) {
  const others = { '--audit-only': auditOnly || undefined, '--kubeconfig': kubeconfig, '--context': context }
  const ofCluster = { '--namespace': namespace, '--manager': manager[0], '--manager-ca': managerCa }
  return Object.entries({ ...others, ...ofCluster })
    .filter(([, value]) => value !== undefined)
    .map(([option]) => `--policies is for a node without a cluster, so it excludes ${option}`)
}

function auditOnly(given: AgentArguments, { request, metadata }: Checked): Promise<number> {
  const { containers = '', statusEvery, logFormat: format = 'json', verbosity } = given
  return runAuditOnly({
    ...{ containers, request, metadata, signals: process, ...pipelineOf(given), ...metricsOf(given) },
    nodeName: given.nodeName ?? hostname(),
    ...(statusEvery !== undefined && { statusEvery: statusEvery * 1000 }),
    logger: roleLogger({ format, verbosity, fd: 2 }),
  })
}
