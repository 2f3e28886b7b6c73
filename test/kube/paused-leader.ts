/**
 * A leader that a test pauses. It leads over the server in argv[2], writes as fast as it can, and prints a line for
 * each write. It also writes after its term, because the test checks the fence and not the leader's behaviour.
 */

import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { FencedError } from '../../src/kube/fence.ts'
import { LeaderElector } from '../../src/kube/leader-election.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import { configFor, thing, things } from './harness.ts'

const [url = '', identity = ''] = process.argv.slice(2)
const client = new ApiClient({ connection: new KubeConnection(configFor(url)), limiter: unlimited })
const elector = new LeaderElector({
  client,
  lease: { namespace: 'varmor', name: 'manager' },
  identity,
  leaseDuration: 6_000,
  renewDeadline: 5_000,
  retryPeriod: 200,
  leading: async (term) => {
    console.log('leads')
    const fenced = client.fenced(term)
    for (;;) {
      try {
        await fenced.update(things, thing(identity, 1))
      } catch (error) {
        if (!(error instanceof FencedError)) throw error
        console.log('fenced')
        return
      }
    }
  },
})
elector.start()
