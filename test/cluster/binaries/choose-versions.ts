// Writes go.mod and go.sum for the versions below. Run it by hand when the versions change, and commit both files.
//
// The script does not use `go mod tidy`, which would fetch the modules that every dependency's tests import.
// Kubernetes' own go.mod requires its staging modules in version v0.0.0, which only exists inside its repository, so
// the published version replaces each.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'

const kubernetes = '1.37.2'
const etcd = '3.7.0'
const kwok = '0.8.0'

const tools = [
  'k8s.io/kubernetes/cmd/kube-apiserver',
  'k8s.io/kubernetes/cmd/kube-controller-manager',
  'k8s.io/kubernetes/cmd/kube-scheduler',
  'k8s.io/kubernetes/cmd/kubectl',
  'k8s.io/kubernetes/cmd/kubelet',
  'go.etcd.io/etcd/server/v3',
  'sigs.k8s.io/kwok/cmd/kwok',
  'varmor.test/cluster/pause',
]

interface Module {
  Go: string
  Replace: { Old: { Path: string } }[]
}

const environment = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '' }
const go = (...args: string[]): string =>
  execFileSync('go', args, { cwd: import.meta.dirname, encoding: 'utf8', env: environment, maxBuffer: 1 << 28 })

for (const file of ['go.mod', 'go.sum']) rmSync(new URL(file, import.meta.url), { force: true })
go('mod', 'init', 'varmor.test/cluster')
const download = JSON.parse(go('mod', 'download', '-json', `k8s.io/kubernetes@v${kubernetes}`)) as { GoMod: string }
const upstream = JSON.parse(go('mod', 'edit', '-json', download.GoMod)) as Module
const staging = upstream.Replace.map(({ Old }) => `-replace=${Old.Path}=${Old.Path}@v${kubernetes.replace('1.', '0.')}`)
const required = [`k8s.io/kubernetes@v${kubernetes}`, `go.etcd.io/etcd/server/v3@v${etcd}`, `sigs.k8s.io/kwok@v${kwok}`]
go(
  'mod',
  'edit',
  `-go=${upstream.Go}`,
  `-godebug=default=go${upstream.Go.split('.').slice(0, 2).join('.')}`,
  ...staging,
  ...required.map((module) => `-require=${module}`),
  ...tools.map((tool) => `-tool=${tool}`),
)
go('list', '-mod=mod', '-deps', 'tool')
console.log(readFileSync(new URL('go.mod', import.meta.url), 'utf8').split('\n').length, 'lines of go.mod')
