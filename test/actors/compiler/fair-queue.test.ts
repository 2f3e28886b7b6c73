import { expect } from 'chai'
import { nextTurn, type Running, SLOW, type Tenant, type Waiting } from '../../../actors/compiler/fair-queue.ts'

const NOW = 1_000_000
const urgent = (tenant: string, peer = '') => ({ tenant, peer, urgent: true })
const later = (tenant: string, peer = '') => ({ tenant, peer, urgent: false })
const busy = (tenant: string, since = NOW) => ({ tenant, since })
const known = (facts: Partial<Tenant>): Tenant => ({ turn: 0, slowUntil: 0, costlyUntil: 0, ...facts })
const proven = { a: known({}), b: known({}), c: known({}) }
const slow = known({ slowUntil: NOW + 1 })

interface Row {
  title: string
  waiting: Waiting[]
  running?: Running[]
  tenants?: Record<string, Tenant>
  /** The last turn of each peer. */
  peers?: Record<string, number>
  /** Maximum number of threads for slow subjects; default 1. */
  left?: number
  restUntil?: number
  next: Waiting | undefined
}

const rows: Row[] = [
  { title: 'no job when no job waits', waiting: [], next: undefined },
  { title: 'the job that came first', waiting: [later('a'), later('b')], next: later('a') },
  { title: 'an urgent job before an earlier job', waiting: [later('a'), urgent('b')], next: urgent('b') },
  {
    title: 'the tenant with the oldest last turn',
    waiting: [later('a'), later('b')],
    tenants: { a: known({ turn: 8 }), b: known({ turn: 7 }) },
    next: later('b'),
  },
  {
    title: 'a tenant without a turn before tenants with a turn',
    waiting: [later('a'), later('b')],
    tenants: { a: known({ turn: 1 }) },
    next: later('b'),
  },
  {
    title: 'the peer with the older last turn, before a tenant without a turn',
    waiting: [later('new', 'x'), later('a', 'y'), later('b', 'y')],
    tenants: { a: known({ turn: 8 }), b: known({ turn: 7 }) },
    peers: { x: 9, y: 8 },
    next: later('b', 'y'),
  },
  {
    title: 'an urgent job, whatever the last turn of its peer',
    waiting: [later('a', 'y'), urgent('b', 'x')],
    peers: { x: 9, y: 8 },
    next: urgent('b', 'x'),
  },
  {
    title: 'no tenant that has a running job, however urgent the next job is',
    waiting: [urgent('a'), later('b')],
    running: [busy('a')],
    next: later('b'),
  },
  {
    title: 'no tenant with too costly jobs during the rest',
    waiting: [urgent('a'), later('b')],
    tenants: { a: known({ costlyUntil: NOW + 1 }) },
    restUntil: NOW + 1,
    next: later('b'),
  },
  {
    title: 'a tenant with too costly jobs after the rest',
    waiting: [urgent('a')],
    tenants: { a: known({ costlyUntil: NOW + 1 }) },
    restUntil: NOW,
    next: urgent('a'),
  },
  { title: 'a slow tenant while threads are free', waiting: [later('a')], tenants: { a: slow }, next: later('a') },
  {
    title: 'no slow tenant for the last thread while another slow tenant has a thread',
    waiting: [urgent('a'), later('c')],
    running: [busy('b')],
    tenants: { a: slow, b: slow },
    next: later('c'),
  },
  {
    title: 'no slow tenant for the last thread while another job takes long',
    waiting: [urgent('a'), later('c')],
    running: [busy('b', NOW - SLOW - 1)],
    tenants: { a: slow },
    next: later('c'),
  },
  {
    title: 'no unknown tenant for the last thread while another unknown tenant has a thread',
    waiting: [urgent('new'), later('c')],
    running: [busy('newer')],
    next: later('c'),
  },
  {
    title: 'an unknown tenant while threads are free',
    waiting: [later('new')],
    running: [busy('b')],
    next: later('new'),
  },
  {
    title: 'no slow tenant while other tenants need the only thread',
    waiting: [urgent('a'), later('b')],
    tenants: { a: slow },
    left: 0,
    next: later('b'),
  },
  {
    title: 'a tenant that was slow long ago, like any other tenant',
    waiting: [later('a')],
    running: [busy('b')],
    tenants: { a: known({ slowUntil: NOW }), b: slow },
    next: later('a'),
  },
]

describe('the next turn', () => {
  for (const { title, waiting, running = [], tenants = {}, peers = {}, left = 1, restUntil = 0, next } of rows)
    it(`is for ${title}`, () => {
      const given = nextTurn(waiting, running, new Map(Object.entries({ ...proven, ...tenants })), {
        peers: new Map(Object.entries(peers)),
        left,
        restUntil,
        now: NOW,
      })
      expect(given).to.deep.equal(next)
    })
})
