import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { ConfigError, loadConfig } from '../../src/kube/config.ts'
import { type Credentials, KubeConnection } from '../../src/kube/connection.ts'
import { hostileValues } from '../fakes/hostile-json.ts'
import { failure, ManualClock, type Thing, target, testClient, thing, things } from './harness.ts'
import { json, ScriptedServer, status } from './scripted-server.ts'

describe('kube config', () => {
  let folder: string
  let server: ScriptedServer

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-config-'))
    server = await ScriptedServer.start()
    server.otherwise = json(thing('one', 1))
  })
  afterEach(async () => {
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  const write = (name: string, user: object, cluster: object = {}, more: object = {}): string => {
    const path = join(folder, name)
    const document = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': name,
      contexts: [{ name, context: { cluster: name, user: name, namespace: 'team' } }],
      clusters: [{ name, cluster: { server: server.url, ...cluster } }],
      users: [{ name, user }],
      ...more,
    }
    writeFileSync(path, stringify(document))
    return path
  }

  it('is used, or a ConfigError that names the file, whatever is in it', () => {
    const path = write('main', { token: 'secret' })
    const valid = parse(readFileSync(path, 'utf8'))
    fc.assert(
      fc.property(
        fc.oneof(
          hostileValues(valid).map((value) => stringify(value)),
          fc.string(),
        ),
        (text) => {
          // An unknown YAML directive causes a process warning, so the text has none.
          writeFileSync(path, text.replaceAll('%', '-'))
          try {
            expect(new KubeConnection(loadConfig({ kubeconfig: path, env: {} })).origin).to.match(/^https?:/)
          } catch (error) {
            expect(error, String(error)).to.be.instanceOf(ConfigError)
            expect(String(error)).to.not.match(/of undefined|of null|is not a function|is not iterable/)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  const wrong: [what: string, more: object, said: RegExp][] = [
    ['a list of users that is none', { users: 5 }, /kubeconfig .*main: users: /],
    ['a user that is null', { users: [null] }, /kubeconfig .*main: users.0: /],
    ['a cluster without a server', { clusters: [{ name: 'main', cluster: {} }] }, /main: clusters.0.cluster.server: /],
    [
      'a server that is no URL',
      { clusters: [{ name: 'main', cluster: { server: 'kube' } }] },
      /"kube" is not an https URL/,
    ],
  ]
  for (const [what, more, said] of wrong)
    it(`says where it has ${what}`, () => {
      const path = write('main', { token: 'secret' }, {}, more)
      expect(() => loadConfig({ kubeconfig: path, env: {} })).to.throw(ConfigError, said)
    })

  /** Headers of the one request that the test sends with a configuration. */
  const headersWith = async (path: string) => {
    const connection = new KubeConnection(loadConfig({ kubeconfig: path, env: {} }))
    await testClient(server.url, { connection }).client.get(things, target)
    await connection.close()
    return server.seen.at(-1)!.headers
  }

  const plugin = (...tokens: string[]): object => {
    const script = join(folder, 'plugin')
    const count = join(folder, 'count')
    writeFileSync(count, '0')
    const answers = tokens.map((token, i) => `${i}) t=${token};;`).join(' ')
    writeFileSync(
      script,
      `#!/bin/sh\nn=$(cat ${count}); echo $((n + 1)) > ${count}\ncase $n in ${answers} *) t=${tokens.at(-1)};; esac\n` +
        `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$t'"}}'\n`,
    )
    chmodSync(script, 0o755)
    return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: script, interactiveMode: 'Never' } }
  }

  const rows: { title: string; user: () => object; authorization: string | undefined }[] = [
    { title: 'a token', user: () => ({ token: 'secret' }), authorization: 'Bearer secret' },
    {
      title: 'a token in a file that ends with a line',
      user: () => {
        writeFileSync(join(folder, 'token'), 'from-file\n')
        return { tokenFile: 'token' }
      },
      authorization: 'Bearer from-file',
    },
    { title: 'an exec plugin', user: () => plugin('from-plugin'), authorization: 'Bearer from-plugin' },
    {
      title: 'a user name and a password',
      user: () => ({ username: 'me', password: 'pw' }),
      authorization: 'Basic bWU6cHc=',
    },
    { title: 'nothing', user: () => ({}), authorization: undefined },
  ]
  for (const { title, user, authorization } of rows)
    it(`signs in with ${title}`, async () => {
      expect((await headersWith(write('one', user()))).authorization).to.equal(authorization)
    })

  it('takes a token file of one line, and names each other file, but nothing of what is in it', async () => {
    const path = write('one', { tokenFile: 'token' })
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme-ascii' }),
      fc.constantFrom(
        '',
        ' \n',
        'se cret',
        'se\ncret',
        'se\u0000cret',
        'sécret',
        '\u{feff}secret',
        's'.repeat(1_000_000),
      ),
    )
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        writeFileSync(join(folder, 'token'), token)
        const connection = new KubeConnection(loadConfig({ kubeconfig: path, env: {} }))
        const found = await connection.credentials().catch((error: unknown) => error as Error)
        await connection.close()
        if (/^[!-~]+$/.test(token.trim()))
          expect((found as Credentials).headers).to.deep.include({ authorization: `Bearer ${token.trim()}` })
        else
          expect((found as Error).message).to.equal(
            `${join(folder, 'token')} does not contain a valid token; a token must be one line of ASCII`,
          )
      }),
      { numRuns: 200 },
    )
    writeFileSync(join(folder, 'token'), 'good\n')
    expect((await headersWith(path)).authorization).to.equal('Bearer good')
  })

  it('says whose token is none', async () => {
    const connection = new KubeConnection(loadConfig({ kubeconfig: write('one', { token: 'se\ncret' }), env: {} }))
    expect(((await failure(connection.credentials())) as Error).message).to.equal(
      'user one does not contain a valid token; a token must be one line of ASCII',
    )
    await connection.close()
  })

  it('acts for the user that `as` names', async () => {
    expect((await headersWith(write('one', { token: 't', as: 'bob' })))['impersonate-user']).to.equal('bob')
  })

  describe('behind a proxy', () => {
    /** A proxy that handles each CONNECT as the test says, and counts them. */
    const proxied = async (onConnect: (socket: Socket, target: string) => void) => {
      let asked = 0
      const proxy = createServer()
      proxy.on('connect', ({ url = '' }, socket) => {
        asked++
        onConnect(socket as Socket, url)
      })
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
      const path = write(
        'one',
        { token: 't' },
        { 'proxy-url': `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` },
      )
      const connection = new KubeConnection(loadConfig({ kubeconfig: path, env: {} }))
      const { client } = testClient(server.url, { connection, attempts: 1 })
      const result = await client.get(things, target).catch((error: unknown) => error)
      await connection.close()
      await new Promise((resolve) => proxy.close(resolve))
      return { asked, result }
    }
    it('sends requests through its tunnel', async () => {
      const { asked, result } = await proxied((socket, to) => {
        const upstream = connect(Number(to.split(':')[1]), '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
          upstream.pipe(socket).pipe(upstream)
        })
        upstream.on('error', () => socket.destroy())
        socket.on('error', () => upstream.destroy())
      })
      expect([asked, (result as Thing).kind]).to.deep.equal([1, 'Thing'])
    })
    it('says that it refused', async () => {
      const { result } = await proxied((socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
      expect(result).to.have.property('code', 'NOT_SENT')
      expect((result as Error).message).to.match(/answered 403 to CONNECT/)
    })
    it('asks it once an attempt, also when it drops the connection', async () => {
      const { asked, result } = await proxied((socket) => socket.destroy())
      expect([asked, (result as { code: string }).code]).to.deep.equal([1, 'NOT_SENT'])
    })
  })

  it('puts the path of a server before the path of a request', async () => {
    const path = write('one', {}, { server: `${server.url}/k8s/clusters/c-1` })
    await headersWith(path)
    expect(server.seen[0]!.path).to.equal('/k8s/clusters/c-1/apis/example.org/v1/namespaces/default/things/one')
  })

  describe('credentials that the server refuses', () => {
    it('are loaded again, once, and any kind of request is sent again', async () => {
      const connection = new KubeConnection(loadConfig({ kubeconfig: write('one', plugin('old', 'new')), env: {} }))
      const { client } = testClient(server.url, { connection })
      server.script = [status(401, 'Unauthorized')]
      await client.create(things, thing('one', ''))
      expect(server.seen.map(({ headers }) => headers.authorization)).to.deep.equal(['Bearer old', 'Bearer new'])
      await connection.close()
    })

    it('and refused again are an error, after two requests', async () => {
      const connection = new KubeConnection(loadConfig({ kubeconfig: write('one', plugin('old', 'older')), env: {} }))
      const { client } = testClient(server.url, { connection })
      server.otherwise = status(401, 'Unauthorized')
      const error = await client.get(things, target).catch((each: unknown) => each)
      expect(error).to.have.property('code', 401)
      expect(server.seen).to.have.length(2)
      await connection.close()
    })

    it('by many requests at once are loaded again only once', async () => {
      const connection = new KubeConnection(
        loadConfig({ kubeconfig: write('one', plugin('t0', 't1', 't2', 't3')), env: {} }),
      )
      const { client } = testClient(server.url, { connection })
      server.otherwise = (response, seen) => {
        const answer = seen.headers.authorization === 'Bearer t0' ? status(401, 'Unauthorized') : json(thing('one', 1))
        answer(response, seen)
      }
      await Promise.all(Array.from({ length: 10 }, () => client.get(things, target)))
      expect(new Set(server.seen.map(({ headers }) => headers.authorization))).to.deep.equal(
        new Set(['Bearer t0', 'Bearer t1']),
      )
      await connection.close()
    })
  })

  describe('an exec plugin', () => {
    const script = (text: string): object => {
      const path = join(folder, 'broken-plugin')
      writeFileSync(path, `#!/bin/sh\n${text}\n`)
      chmodSync(path, 0o755)
      return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: path, interactiveMode: 'Never' } }
    }
    const missing = 'no-such-auth-plugin'
    const named = (command: string): object => ({
      exec: { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'Never' },
    })
    const rows: { title: string; user: () => object; says: RegExp }[] = [
      { title: 'is not there', user: () => named(missing), says: /plugin no-such-auth-plugin .*user one.*ENOENT/ },
      {
        title: 'is in no folder that there is',
        user: () => named(`/nowhere/${missing}`),
        says: /plugin \/nowhere\/no-such/,
      },
      { title: 'fails', user: () => script('echo no ticket >&2; exit 1'), says: /broken-plugin .*: no ticket/ },
      { title: 'fails without a word', user: () => script('exit 1'), says: /broken-plugin .*it failed/ },
      { title: 'says what is no JSON', user: () => script('echo login first'), says: /broken-plugin .*JSON/ },
      {
        title: 'says something else',
        user: () => script(`echo '{"kind":"Other"}'`),
        says: /broken-plugin .*not an ExecCredential/,
      },
      {
        title: 'is named as long ago',
        user: () => ({ 'auth-provider': { name: 'exec', config: { exec: { command: missing } } } }),
        says: /plugin no-such-auth-plugin/,
      },
    ]
    for (const { title, user, says } of rows)
      it(`that ${title} ends the request at once, with its name and what to do`, async () => {
        const connection = new KubeConnection(loadConfig({ kubeconfig: write('one', user()), env: {} }))
        // No time passes here, so a request that waits for its retry is never sent.
        const { client } = testClient(server.url, { connection, attempts: 2 })
        const error = await failure(client.create(things, thing('one', '')))
        expect(error).to.have.property('code', 'NO_CREDENTIALS')
        expect((error as Error).message)
          .to.match(says)
          .and.match(/kubectl config view --raw --minify --flatten/)
        expect(server.seen).to.have.length(0)
        await connection.close()
      })

    it('is not blamed for a file that cannot be read', async () => {
      const cluster = { 'certificate-authority': join(folder, 'nowhere.crt') }
      const connection = new KubeConnection(
        loadConfig({ kubeconfig: write('one', script('exit 1'), cluster), env: {} }),
      )
      const { client } = testClient(server.url, { connection, attempts: 1 })
      const error = await failure(client.get(things, target))
      expect((error as Error).message)
        .to.match(/nowhere\.crt/)
        .and.not.match(/plugin/)
      await connection.close()
    })
  })

  it('reads a token file again when its time has come', async () => {
    const path = write('one', { tokenFile: 'token' })
    writeFileSync(join(folder, 'token'), 'first')
    const clock = new ManualClock()
    const connection = new KubeConnection(loadConfig({ kubeconfig: path, env: {} }), { clock })
    const { client } = testClient(server.url, { connection })
    await client.get(things, target)
    writeFileSync(join(folder, 'token'), 'second')
    server.script = [status(401, 'Unauthorized')]
    await client.get(things, target)
    expect(server.seen.map(({ headers }) => headers.authorization)).to.deep.equal([
      'Bearer first',
      'Bearer first',
      'Bearer second',
    ])
    await connection.close()
  })

  describe('says what is missing', () => {
    const wrong: { title: string; load: () => unknown; says: RegExp }[] = [
      {
        title: 'no configuration at all',
        load: () => loadConfig({ env: { HOME: folder } }),
        says: /no cluster to talk to.*kubeconfig/,
      },
      { title: 'no such file', load: () => loadConfig({ kubeconfig: join(folder, 'nope') }), says: /nope.*ENOENT/ },
      {
        title: 'no such context',
        load: () => loadConfig({ kubeconfig: write('one', {}), context: 'two' }),
        says: /no context two; existing contexts: one/,
      },
      {
        title: 'no such cluster',
        load: () => loadConfig({ kubeconfig: write('one', {}, {}, { clusters: [] }) }),
        says: /names a cluster/,
      },
      {
        title: 'no such user',
        load: () => loadConfig({ kubeconfig: write('one', {}, {}, { users: [] }) }),
        says: /names a user/,
      },
      {
        title: 'secrets in the open',
        load: () => loadConfig({ kubeconfig: write('one', {}, { server: 'http://example.org' }) }),
        says: /unencrypted/,
      },
      {
        title: 'groups to impersonate',
        load: () => loadConfig({ kubeconfig: write('one', { as: 'a', 'as-groups': ['b'] }) }),
        says: /as-groups.*not supported/,
      },
    ]
    for (const { title, load, says } of wrong) it(title, () => expect(load).to.throw(says))
  })

  it('takes the first of each name of several files in KUBECONFIG', async () => {
    const first = write('one', { token: 'first' })
    const second = write(
      'two',
      { token: 'second' },
      {},
      {
        users: [
          { name: 'one', user: { token: 'hidden' } },
          { name: 'two', user: { token: 'second' } },
        ],
      },
    )
    const env = { KUBECONFIG: `${first}:${second}` }
    expect(loadConfig({ env }).getCurrentUser()?.token).to.equal('first')
    expect(loadConfig({ env, context: 'two' }).getCurrentUser()?.token).to.equal('second')
    expect(new KubeConnection(loadConfig({ env })).namespace).to.equal('team')
  })
})
