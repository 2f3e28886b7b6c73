/**
 * Writes the software bill of materials of the image, as CycloneDX: the bundled npm packages, Node.js, and Debian's
 * packages. The file has neither a time nor a serial number, so equal input gives equal bytes.
 *    sbom.ts BUNDLES NODE-LOCK DPKG-STATUS
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library'

const { ComponentType, HashAlgorithm } = Enums

interface Locked {
  version: string
  license?: string
  integrity?: string
}

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))

function component(
  name: string,
  version: string,
  purl: string,
  license?: string,
  integrity?: string,
): Models.Component {
  const made = new Models.Component(ComponentType.Library, name, { bomRef: purl, version, purl })
  if (license !== undefined) made.licenses.add(new Models.NamedLicense(license))
  const sha512 = integrity?.startsWith('sha512-') ? integrity.slice('sha512-'.length) : undefined
  if (sha512 !== undefined) made.hashes.set(HashAlgorithm['SHA-512'], Buffer.from(sha512, 'base64').toString('hex'))
  return made
}

const npmPurl = (name: string, version: string): string => `pkg:npm/${name.replace('@', '%40')}@${version}`

/** The entries of package-lock.json, by name and version of the package. */
function lockedPackages(lock: { packages: Record<string, Locked> }): Map<string, Locked> {
  return new Map(
    Object.entries(lock.packages).map(([path, locked]) => [
      `${path.replace(/.*node_modules\//, '')}@${locked.version}`,
      locked,
    ]),
  )
}

function npmComponents(bundles: string): Models.Component[] {
  const locked = lockedPackages(json('package-lock.json'))
  const bundled = json(join(bundles, 'package.json')).bundled as string[]
  return bundled.map((which) => {
    const found = locked.get(which)
    if (found === undefined) throw new Error(`package-lock.json has no ${which}, which is in the bundles: run npm ci`)
    const name = which.slice(0, which.lastIndexOf('@'))
    return component(name, found.version, npmPurl(name, found.version), found.license, found.integrity)
  })
}

function nodeComponent(lock: string): Models.Component {
  const name = `node-linux-${arch()}`
  const { version, license, integrity } = json(lock).packages[`node_modules/${name}`] as Locked
  return component('node', version, npmPurl(name, version), license, integrity)
}

/** The installed packages according to dpkg's status. */
function debianComponents(status: string): Models.Component[] {
  const stanzas = readFileSync(status, 'utf8').split('\n\n')
  return stanzas.flatMap((stanza) => {
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1] ?? ''
    if (!field('Status').endsWith(' installed')) return []
    const [name, version] = [field('Package'), field('Version')]
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${field('Architecture')}`
    return [component(name, version, purl)]
  })
}

const [bundles = '', nodeLock = '', dpkgStatus = ''] = process.argv.slice(2)
const { version, license } = json('package.json')
const bom = new Models.Bom()
bom.metadata.component = component('varmor', version, npmPurl('varmor', version), license)
bom.metadata.component.type = ComponentType.Application
for (const one of [...npmComponents(bundles), nodeComponent(nodeLock), ...debianComponents(dpkgStatus)])
  bom.components.add(one)
const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6))
writeFileSync(join(bundles, 'sbom.cdx.json'), serializer.serialize(bom, { sortLists: true, space: 1 }))
