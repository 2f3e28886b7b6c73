import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { authFile, type Credentials, credentialsIn } from '../../../deploy/release/credentials.ts'

const auth = (text: string): string => Buffer.from(text).toString('base64')
const ask = (helper: string, host: string): string => JSON.stringify({ Username: helper, Secret: host })

describe('the credentials of a release', () => {
  const cases: [string, object, Credentials | undefined][] = [
    ['are those of the host', { auths: { 'a.io': { auth: auth('u:p') } } }, { user: 'u', password: 'p' }],
    [
      'may have a colon in the password',
      { auths: { 'a.io': { auth: auth('u:p:q') } } },
      { user: 'u', password: 'p:q' },
    ],
    ['are missing for another host', { auths: { 'b.io': { auth: auth('u:p') } } }, undefined],
    ['are missing in an empty file', {}, undefined],
    ['come from the helper of the host', { credHelpers: { 'a.io': 'x' } }, { user: 'x', password: 'a.io' }],
    ['come from the helper of all hosts', { credsStore: 'y', auths: { 'a.io': {} } }, { user: 'y', password: 'a.io' }],
    [
      'come from the file before the helper of all hosts',
      { credsStore: 'y', auths: { 'a.io': { auth: auth('u:p') } } },
      { user: 'u', password: 'p' },
    ],
  ]
  for (const [title, file, expected] of cases)
    it(title, () => expect(credentialsIn(JSON.stringify(file), 'a.io', ask)).to.deep.equal(expected))

  it('are in the given file, else in the first file of buildah or docker that exists', () => {
    const home = mkdtempSync(join(tmpdir(), 'varmor-auth-'))
    try {
      const env = { XDG_RUNTIME_DIR: join(home, 'run'), HOME: home, DOCKER_CONFIG: home }
      expect(authFile(env)).to.equal(undefined)
      writeFileSync(join(home, 'config.json'), '{}')
      expect(authFile(env)).to.equal(join(home, 'config.json'))
      expect(authFile({ ...env, REGISTRY_AUTH_FILE: '/given' })).to.equal('/given')
    } finally {
      rmSync(home, { recursive: true })
    }
  })
})
