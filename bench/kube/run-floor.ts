/**
 * Measures the minimum cost of a watch in JavaScript: one list, then a watch that only parses each line and stores the
 * last state of each object.
 */
import { request } from 'undici'
import { LineCutter } from '../../src/kube/json-lines.ts'
import { measured } from './measured.ts'

const [url = '', changes = ''] = process.argv.slice(2)
const path = `${url}/apis/crd.varmor.org/v1beta1/armorprofiles`
interface Named {
  metadata: { uid: string }
}
const objects = new Map<string, Named>()
const measure = measured(Number(changes), () => objects.size)
const { body } = await request(path)
const { items, metadata } = (await body.json()) as { items: Named[]; metadata: { resourceVersion: string } }
for (const item of items) objects.set(item.metadata.uid, item)
measure.listed()
const lines = new LineCutter(1 << 24, (line) => {
  const { object } = JSON.parse(line) as { object: Named }
  objects.set(object.metadata.uid, object)
  measure.changed()
})
const watch = await request(`${path}?watch=true&resourceVersion=${metadata.resourceVersion}`)
for await (const chunk of watch.body) lines.push(chunk as Buffer)
