import { expect } from 'chai'
import { egress } from '../control-plane/egress.ts'
import { RealTarget } from '../control-plane/real-target.ts'
import { controlPlaneSuite, parts } from '../control-plane/suite.ts'
import { describeCluster } from './describe-cluster.ts'
import { type ChartAccounts, chartAccounts } from './helm/accounts.ts'
import { refused, unusedRights } from './rights.ts'

/** Values that enable all features for which the chart gives rights. */
const enabled = { enabled: true }
const values = { podEgressControl: enabled, serviceEgressControl: enabled, behaviorModeling: enabled }
/** Requests that the suite makes as an agent and that the API server must refuse. */
const tried = ['create armorprofiles.crd.varmor.org', 'patch armorprofiles.crd.varmor.org']

describeCluster(
  'the control plane on a real Kubernetes, with the rights that the chart gives',
  (cluster) => {
    let accounts: ChartAccounts
    const requestsOf = (component: string) =>
      cluster()
        .servedRequests()
        .filter(({ user }) => user === `system:serviceaccount:varmor:varmor-${component}`)
    before(async () => {
      accounts = await chartAccounts(cluster(), values)
    })
    controlPlaneSuite(() => new RealTarget(cluster(), accounts), ...Object.values(parts), egress)

    // Runs after the suite, whose tests are in separate `describe` blocks.
    describe('its rights', () => {
      it('are all that managers ask for', () => {
        expect(requestsOf('manager')).not.to.deep.equal([])
        expect(refused(accounts.rights('manager'), requestsOf('manager'))).to.deep.equal([])
        const beyond = refused(accounts.rights('agent'), requestsOf('agent')).filter(
          (one) => !tried.some((known) => one.startsWith(known)),
        )
        expect(beyond).to.deep.equal([])
      })

      it('are no more than managers take', () => {
        expect(unusedRights(accounts.rights('manager'), requestsOf('manager'))).to.deep.equal([])
      })
    })
  },
  {
    harm: true,
  },
)
