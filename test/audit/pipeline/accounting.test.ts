import { expect } from 'chai'
import type { BatchResult } from '../../../src/audit/batch/batch.ts'
import type { PolicyIdentity } from '../../../src/audit/enrich/snapshot.ts'
import { Accounting } from '../../../src/audit/pipeline/accounting.ts'

const batch = (profileNames: readonly string[]): BatchResult =>
  ({
    ...{ read: profileNames.length, written: profileNames.length, filtered: 0, undecodable: 0 },
    ...{ deferred: [], unresolved: {} },
    counts: profileNames.map((profileName) => ({ enforcer: 'AppArmor', action: 'DENIED', profileName, events: 1 })),
  }) as unknown as BatchResult

const policyOf = (profileName: string): PolicyIdentity => ({
  ...{ profileName, kind: 'VarmorPolicy', name: profileName.slice('varmor-demo-'.length), namespace: 'demo' },
})

describe('the accounting of events', () => {
  it('names profiles of policies only: 20,000 that records make up are one entry', () => {
    const accounting = new Accounting((name) => (name === 'varmor-demo-web' ? policyOf(name) : undefined))
    for (let i = 0; i < 20; i++)
      accounting.processed(batch(Array.from({ length: 1_000 }, (_, n) => `varmor-forged-${i * 1_000 + n}`)), false)
    accounting.processed(batch(['varmor-demo-web']), false)
    expect(accounting.events).to.deep.equal([
      { enforcer: 'AppArmor', action: 'DENIED', profileName: '', events: 20_000 },
      {
        ...{ enforcer: 'AppArmor', action: 'DENIED', profileName: 'varmor-demo-web', events: 1 },
        policy: policyOf('varmor-demo-web'),
      },
    ])
    expect(accounting.totals.read).to.equal(20_001)
  })

  it('keeps no names of policies that are long gone, and loses no event', () => {
    let newest = 0
    const accounting = new Accounting((name) =>
      Number(name.slice('varmor-demo-'.length)) > newest - 10 ? policyOf(name) : undefined,
    )
    for (let i = 1; i <= 10_000; i++) {
      newest = i
      accounting.processed(batch([`varmor-demo-${i}`]), false)
    }
    expect(accounting.events.length).to.be.below(1_100)
    expect(accounting.events.reduce((sum, { events }) => sum + events, 0)).to.equal(10_000)
  })
})
