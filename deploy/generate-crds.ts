import { mkdirSync, writeFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { customResourceDefinition, group, type Kind, kinds } from '../src/api/crds.ts'

// Writes the CustomResourceDefinitions from the schemas in src/api/schema. Run it with `npm run generate`. A test fails
// if a file is out of date.

const folder = new URL('crds/', import.meta.url)

/** The name and text of the file with the definition of a kind. */
export function crdFile(kind: Kind): { name: string; text: string } {
  const definition = stringify(customResourceDefinition(kind), { lineWidth: 0, aliasDuplicateObjects: false })
  return {
    name: `${group}_${kind.plural}.yaml`,
    text: `# Made by \`npm run generate\` from src/api/schema.\n${definition}`,
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  mkdirSync(folder, { recursive: true })
  for (const { name, text } of kinds.map(crdFile)) writeFileSync(new URL(name, folder), text)
}
