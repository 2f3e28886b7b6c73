/** Runs client-node's informer on the server argv[2], for argv[3] changes. */
import {
  CustomObjectsApi,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
} from '@kubernetes/client-node'
import { measured } from './measured.ts'

const [url = '', changes = ''] = process.argv.slice(2)
const config = new KubeConfig()
config.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: true }, { name: 'u' })
const api = config.makeApiClient(CustomObjectsApi)
const resource = { group: 'crd.varmor.org', version: 'v1beta1', plural: 'armorprofiles' }
const list = async () => (await api.listClusterCustomObject(resource)) as KubernetesListObject<KubernetesObject>
const informer = makeInformer(config, '/apis/crd.varmor.org/v1beta1/armorprofiles', list)
const objects = new Set<string>()
const measure = measured(Number(changes), () => objects.size)
informer.on('add', ({ metadata }) => void objects.add(metadata?.uid ?? ''))
informer.on('update', () => measure.changed())
informer.on('error', (error: unknown) => {
  console.error(error)
  process.exit(1)
})
await informer.start()
measure.listed()
