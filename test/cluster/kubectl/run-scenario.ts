import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { output, result } from '../command.ts'
import { normalize } from './normalize.ts'
import type { Scenario, StepResult } from './scenario.ts'

/** A server to run kubectl against. */
export interface KubectlTarget {
  /** Path of kubectl; its folder is added to PATH. */
  kubectl: string
  kubeconfig: string
  /** URL of the server. */
  server: string
}

/**
 * Runs the command lines of a scenario in order, whatever their results, in a new namespace that is removed afterwards.
 * @returns the normalized output of each command line
 */
export async function runScenario(target: KubectlTarget, scenario: Scenario): Promise<StepResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-kubectl-'))
  const surroundings = {
    PATH: `${dirname(target.kubectl)}${delimiter}${process.env['PATH']}`,
    HOME: folder,
    KUBECONFIG: join(folder, 'kubeconfig'),
    TMPDIR: '/tmp',
    LC_ALL: 'C',
  }
  const namespace = await createNamespace(target)
  const env = { ...surroundings, NAMESPACE: namespace }
  try {
    for (const [name, text] of Object.entries(scenario.files ?? {})) {
      writeFileSync(join(folder, name), text, { mode: 0o755 })
    }
    const view = ['config', 'view', '--raw', '--kubeconfig', target.kubeconfig]
    writeFileSync(env.KUBECONFIG, await output(target.kubectl, view), { mode: 0o600 })
    await output(target.kubectl, ['config', 'set-context', '--current', `--namespace=${namespace}`], { env })
    const results: StepResult[] = []
    for (const { line } of scenario.steps) {
      // An expected event may arrive late on a slow machine. A timeout of 1 s is for events that never arrive.
      const patient = line.replace(/--timeout=(5|10|20)s/g, '--timeout=120s')
      const { status, stdout, stderr } = await result('sh', ['-c', patient], { cwd: folder, env })
      const clean = (text: string): string => normalize(text, { namespace, folder, server: target.server })
      results.push({ line, status, stdout: clean(stdout), stderr: clean(stderr) })
    }
    return results
  } finally {
    await output(target.kubectl, ['--kubeconfig', target.kubeconfig, 'delete', 'namespace', namespace, '--wait=false'])
    rmSync(folder, { recursive: true, force: true })
  }
}

async function createNamespace({ kubectl, kubeconfig }: KubectlTarget): Promise<string> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { generateName: 'kubectl-' } })
  const args = ['--kubeconfig', kubeconfig, 'create', '-f', '-', '-o', 'jsonpath={.metadata.name}']
  return output(kubectl, args, { input })
}
