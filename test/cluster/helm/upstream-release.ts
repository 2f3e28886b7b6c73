import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface StoredObject {
  apiVersion: string
  kind: string
  metadata: Record<string, unknown> & { name: string; namespace?: string }
  spec: Record<string, unknown>
}

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../fixtures/upstream/${name}.json`, import.meta.url), 'utf8'))

/**
 * Upstream's chart as rendered by `helm template`, with its values; the tests do not run its programs.
 * @returns the folder, which is removed when the process ends
 */
export function upstreamChart(): string {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-upstream-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const objects: StoredObject[] = fixture('release')
  for (const { kind, spec } of objects) {
    if (kind === 'Deployment') spec['replicas'] = 0
    if (kind === 'DaemonSet') {
      const { spec: pods } = spec['template'] as { spec: Record<string, unknown> }
      pods['nodeSelector'] = { none: 'none' }
    }
  }
  writeFileSync(join(folder, 'Chart.yaml'), 'apiVersion: v2\nname: varmor\nversion: 0.0.0\nappVersion: v0.0.0\n')
  mkdirSync(join(folder, 'templates'))
  const text = objects.map((one) => JSON.stringify(one)).join('\n---\n')
  // Escapes texts that look like templates, so that Helm keeps them as they are.
  writeFileSync(join(folder, 'templates', 'all.yaml'), text.replaceAll('{{', '{{"{{"}}'))
  return folder
}

/** A policy of the release that needs only Seccomp. */
export const seccompPolicy = 'e2e/manifests/seccomp/vpol-seccomp-enhance.yaml'

/**
 * Policies from upstream's tests, examples and demonstrations, by file. Several share a name or a target, so here each
 * gets its own name, and `seccompPolicy` gets its own namespace.
 */
export function upstreamPolicies(namespace: string): Map<string, StoredObject> {
  const policies: Record<string, StoredObject> = fixture('policies')
  return new Map(
    Object.entries(policies).map(([file, policy], i) => {
      const own = file === seccompPolicy ? namespace : `${namespace}-more`
      const place = policy.kind === 'VarmorPolicy' ? { namespace: own } : {}
      return [file, { ...policy, metadata: { name: `u${i}-${policy.metadata.name}`.slice(0, 40), ...place } }]
    }),
  )
}

/** The objects that upstream's manager creates for a policy with Seccomp. */
export const upstreamProfile = (
  { kind, metadata, spec }: StoredObject,
  uid: string,
  seccomp: string,
): Record<string, unknown> => {
  const { policy, target } = spec as { policy: { enforcer: string; mode: string }; target: object }
  const { name, namespace } = metadata
  const owner = { apiVersion: 'crd.varmor.org/v1beta1', kind, name, uid, controller: true }
  const profile = `varmor-${namespace}-${name}`
  return {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfile',
    metadata: { name: profile, namespace, ownerReferences: [owner], finalizers: ['varmor.org/ap-protection'] },
    spec: {
      behaviorModeling: { enable: false, duration: 0 },
      profile: { name: profile, enforcer: policy.enforcer, mode: policy.mode, seccomp },
      target,
      updateExistingWorkloads: true,
    },
  }
}
