import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '../../src/base/random.ts'
import { type RunningApiServer, startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { type RunningControllers, startControllers } from '../../src/sandbox/controllers/start-controllers.ts'
import { sandboxClock } from '../../src/sandbox/sandbox-clock.ts'
import { apiSuite } from '../api-suite/suite.ts'
import { inProcessClient } from './in-process-connection.ts'

describe('the API of the embedded server', () => {
  let running: RunningApiServer
  let controllers: RunningControllers
  let folder = ''

  before(async () => {
    running = await startApiServer()
    const client = running.client({ name: 'system:admin', groups: ['system:masters', 'system:authenticated'] })
    const time = { clock: sandboxClock, random: seededRandom(1) }
    controllers = startControllers({ client: inProcessClient(client, time), ...time, failed: () => undefined })
    await controllers.synced()
    folder = await mkdtemp(join(tmpdir(), 'varmor-api-'))
    await writeFile(join(folder, 'kubeconfig'), running.kubeconfig, { mode: 0o600 })
  })

  after(async () => {
    controllers?.stop()
    await running?.close()
    if (folder !== '') await rm(folder, { recursive: true })
  })

  apiSuite(() => ({
    name: 'embedded',
    server: running.url,
    ca: running.caPem,
    kubeconfig: join(folder, 'kubeconfig'),
    admin: { certificate: running.adminCertificate.certificatePem, key: running.adminCertificate.keyPem },
    forgetHistory: async () => {
      running.server.context.store.compact()
    },
  }))
})
