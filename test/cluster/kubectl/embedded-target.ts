import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '../../../src/base/random.ts'
import { startApiServer } from '../../../src/sandbox/api-server/start-api-server.ts'
import { startControllers } from '../../../src/sandbox/controllers/start-controllers.ts'
import { sandboxClock } from '../../../src/sandbox/sandbox-clock.ts'
import { inProcessClient } from '../../sandbox/in-process-connection.ts'
import { output } from '../command.ts'
import type { KubectlTarget } from './run-scenario.ts'

const crds = join(import.meta.dirname, '..', '..', '..', 'deploy', 'crds')

/** Gives the server vArmor's CRDs, and waits until it serves their kinds. */
export async function installDefinitions({ kubectl, kubeconfig }: KubectlTarget): Promise<void> {
  const login = ['--kubeconfig', kubeconfig]
  await output(kubectl, [...login, 'apply', '--server-side', '-f', crds])
  await output(kubectl, [...login, 'wait', '--for=condition=Established', '--timeout=20s', '-f', crds])
}

/** Starts the embedded server with its controllers, as a target for kubectl. */
export async function startEmbedded(kubectl: string): Promise<KubectlTarget & { stop(): Promise<void> }> {
  const running = await startApiServer()
  const client = running.client({ name: 'system:admin', groups: ['system:masters', 'system:authenticated'] })
  // Errors of the controllers go to kubectl's output.
  const controllers = startControllers({
    client: inProcessClient(client, { clock: sandboxClock, random: Math.random }),
    clock: sandboxClock,
    random: seededRandom(1),
    failed: () => undefined,
  })
  await controllers.synced()
  const folder = await mkdtemp(join(tmpdir(), 'varmor-embedded-'))
  const kubeconfig = join(folder, 'kubeconfig')
  await writeFile(kubeconfig, running.kubeconfig, { mode: 0o600 })
  const target = { kubectl, kubeconfig, server: running.url }
  await installDefinitions(target)
  return {
    ...target,
    async stop() {
      controllers.stop()
      await running.close()
      await rm(folder, { recursive: true })
    },
  }
}
