import type { ApiClient } from '../../src/kube/client.ts'
import { type TestClient, testClient } from './harness.ts'
import { ScriptedServer } from './scripted-server.ts'

/** A new scripted server with its client for each test. */
export function scripted(): { readonly server: ScriptedServer; readonly test: TestClient; readonly client: ApiClient } {
  let [server, test]: [ScriptedServer?, TestClient?] = []
  beforeEach(async () => {
    server = await ScriptedServer.start()
    test = testClient(server.url)
  })
  afterEach(async () => {
    await test!.connection.close()
    await server!.stop()
  })
  return {
    get server() {
      return server!
    },
    get test() {
      return test!
    },
    get client() {
      return test!.client
    },
  }
}
