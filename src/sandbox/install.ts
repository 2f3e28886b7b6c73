import { customResourceDefinition, group, kinds } from '../api/crds.ts'
import { sleep } from '../base/clock.ts'
import { isAlreadyExists } from '../kube/api-error.ts'
import type { ApiClient } from '../kube/client.ts'
import { namespaces, serviceAccounts } from '../kube/core-objects.ts'
import type { KubeObject } from '../kube/objects.ts'
import { defineResource } from '../kube/resources.ts'

interface Definition extends KubeObject {
  status?: { conditions?: { type: string; status: string }[] }
}

const definitions = defineResource<Definition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
})
const fieldManager = 'varmor-sandbox'

/**
 * Installs the objects that otherwise the chart installs: our kinds, the namespace and the agents' service account. A
 * second call changes nothing.
 */
export async function install(client: ApiClient, namespace: string): Promise<void> {
  for (const kind of kinds) {
    const definition = customResourceDefinition(kind) as Definition
    // On a slow machine, the server takes long to compile the first schemas.
    await client.apply(definitions, definition, { fieldManager, force: true, deadline: 120_000 })
  }
  await create(client.create(namespaces, { metadata: { name: namespace } }))
  await create(client.create(serviceAccounts, { metadata: { name: 'varmor-agent', namespace } }))
  for (const { plural } of kinds) await established(client, `${plural}.${group}`)
}

async function create(made: Promise<KubeObject>): Promise<void> {
  await made.catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error
  })
}

/** Waits until the server accepts objects of a kind. This takes a moment after the definition was created. */
async function established(client: ApiClient, name: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { status } = await client.get(definitions, { name })
    if (status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')) return
    await sleep(client.caller.clock, 50)
  }
  throw new Error(`The server did not establish ${name} within 10 s; see its conditions`)
}

/** A token of the agents' service account, bound to a node, as the kubelet projects it into the agent's pod. */
export async function agentToken(
  client: ApiClient,
  namespace: string,
  node: { name: string; uid: string },
  seconds = 24 * 3600,
): Promise<string> {
  const boundObjectRef = { apiVersion: 'v1', kind: 'Node', ...node }
  const { status } = await client.createSubresource<{ status: { token: string } }>(
    serviceAccounts,
    { name: 'varmor-agent', namespace, subresource: 'token' },
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: seconds, boundObjectRef },
    },
  )
  return status.token
}
