import { parseDocument } from 'yaml'
import type { Registry } from './reference.ts'

/** Sets the default image in values.yaml to a published image, by its digest. */
export function valuesWithImage(text: string, { host, path }: Registry, digest: string): string {
  const document = parseDocument(text)
  const values = {
    'image.registry': host,
    'image.namespace': path,
    'manager.image.digest': digest,
    'agent.image.digest': digest,
  }
  for (const [name, value] of Object.entries(values)) {
    const keys = name.split('.')
    if (!document.hasIn(keys)) throw new Error(`values.yaml has no ${name}, which the release sets`)
    document.setIn(keys, value)
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}
