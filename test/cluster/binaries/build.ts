import { createHash } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { output, probe } from '../command.ts'
import { measured, type StepLog } from '../steps.ts'
import { cached, cacheRoot } from './cached.ts'

/** Paths of the programs of a cluster. */
export interface Binaries {
  etcd: string
  'kube-apiserver': string
  'kube-controller-manager': string
  'kube-scheduler': string
  kubectl: string
  kubelet: string
  kwok: string
  pause: string
  /** The stages of kwok's nodes and pods; this is a file, not a program. */
  kwokStages: string
}

/** A source of the programs is not available. The tests did not fail; they are skipped with this reason. */
export class NotAvailable extends Error {}

export const notAvailable =
  (what: string) =>
  (cause: Error): never => {
    const remedy = 'connect this machine to a Go module proxy (go env GOPROXY), or run where the cache is filled'
    throw new NotAvailable(`the Go modules of ${what} cannot be downloaded; ${remedy}\n${cause.message}`, { cause })
  }

const here = import.meta.dirname
// No debugging information, and a lazy garbage collector in the compiler, to reduce computation and cached data.
export const goFlags = '-mod=readonly -trimpath -buildvcs=false -gcflags=all=-dwarf=false'

// Stages from kwok's own module: a node is ready and renews its lease, a pod runs, a Job's pod ends, a deleted pod
// disappears.
const stages = [
  'node/fast/node-initialize.yaml',
  'node/heartbeat-with-lease/node-heartbeat-with-lease.yaml',
  'pod/fast/pod-ready.yaml',
  'pod/fast/pod-complete.yaml',
  'pod/fast/pod-delete.yaml',
]

/** Linker flags with the programs' version, which kubectl and the kubelet compare with the server's version. */
function linkerFlags(version: string): string {
  const name = 'k8s.io/component-base/version'
  const facts = { gitVersion: version, gitMajor: '1', gitMinor: version.split('.')[1], gitTreeState: 'clean' }
  return ['-s', '-w', ...Object.entries(facts).map(([key, value]) => `-X ${name}.${key}=${value}`)].join(' ')
}

/**
 * Builds the programs of a cluster from Go modules, once for each set of versions; later calls only find them.
 * @throws {NotAvailable} if the modules cannot be downloaded
 * @throws with the compiler's message if the build fails
 */
export async function ensureBinaries(log: StepLog): Promise<Binaries> {
  const version = / k8s\.io\/kubernetes (v\S+)/.exec(
    readFileSync(join(here, 'go.mod'), 'utf8').replace(/\s+/g, ' '),
  )![1]!
  const key = createHash('sha256')
    .update(goFlags)
    .update(probe('go', 'version') ?? '')
  for (const source of ['go.mod', 'go.sum', 'pause/main.go']) key.update(readFileSync(join(here, source)))
  const name = `kubernetes-${version}-${key.digest('hex').slice(0, 16)}`
  const { folder } = await measured(log, `programs of Kubernetes ${version}`, () =>
    cached(cacheRoot(), name, async (draft) => {
      const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOGC: '400', GOFLAGS: goFlags }
      const go = (...args: string[]): Promise<string> => output('nice', ['-n', '15', 'go', ...args], { cwd: here, env })
      await measured(log, 'download of Go modules', () => go('list', '-deps', 'tool').catch(notAvailable('Kubernetes')))
      const build = ['build', '-ldflags', linkerFlags(version), '-o', `${draft}/`, 'tool']
      await measured(log, 'compilation', () => go(...build))
      // Go names a program after the last part of its import path.
      renameSync(join(draft, 'server'), join(draft, 'etcd'))
      const kwok = (await go('list', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/kwok')).trim()
      const texts = stages.map((stage) => readFileSync(join(kwok, 'kustomize/stage', stage), 'utf8'))
      writeFileSync(join(draft, 'kwok-stages.yaml'), texts.join('\n---\n'))
    }),
  )
  const path = (program: string): string => join(folder, program)
  return {
    etcd: path('etcd'),
    'kube-apiserver': path('kube-apiserver'),
    'kube-controller-manager': path('kube-controller-manager'),
    'kube-scheduler': path('kube-scheduler'),
    kubectl: path('kubectl'),
    kubelet: path('kubelet'),
    kwok: path('kwok'),
    pause: path('pause'),
    kwokStages: path('kwok-stages.yaml'),
  }
}
