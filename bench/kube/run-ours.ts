/** Runs this project's reflector on the server argv[2], for argv[3] changes; argv[4] `whole` keeps managedFields. */
import { KubeConfig } from '@kubernetes/client-node'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import { clientSource, Reflector } from '../../src/kube/reflector.ts'
import { defineResource } from '../../src/kube/resources.ts'
import { withoutManagedFields } from '../../src/kube/store.ts'
import { measured } from './measured.ts'

const [url = '', changes = '', way = ''] = process.argv.slice(2)
const config = new KubeConfig()
config.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: true }, { name: 'u' })
const ref = defineResource({
  group: 'crd.varmor.org',
  version: 'v1beta1',
  plural: 'armorprofiles',
  kind: 'ArmorProfile',
  namespaced: true,
})
const client = new ApiClient({ connection: new KubeConnection(config), limiter: unlimited })
const reflector = new Reflector({
  source: clientSource(client, ref),
  ...(way === 'whole' ? {} : { transform: withoutManagedFields }),
})
const measure = measured(Number(changes), () => reflector.store.size)
reflector.subscribe({
  name: 'bench',
  mode: 'edge',
  bound: 1_000_000,
  handle: ({ type }) => {
    if (type === 'updated') measure.changed()
  },
})
reflector.start()
await reflector.synced
measure.listed()
