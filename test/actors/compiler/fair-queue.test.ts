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
  { title: 'nobody, where nobody waits', waiting: [], next: undefined },
  { title: 'who came first', waiting: [later('a'), later('b')], next: later('a') },
  { title: 'what is urgent, before what came first', waiting: [later('a'), urgent('b')], next: urgent('b') },
  {
    title: 'whose last turn is the longest ago',
    waiting: [later('a'), later('b')],
    tenants: { a: known({ turn: 8 }), b: known({ turn: 7 }) },
    next: later('b'),
  },
  {
    title: 'who had no turn yet, before all who had',
    waiting: [later('a'), later('b')],
    tenants: { a: known({ turn: 1 }) },
    next: later('b'),
  },
  {
    title: 'whoever is from where the last turn is longer ago, before one who had none himself',
    waiting: [later('new', 'x'), later('a', 'y'), later('b', 'y')],
    tenants: { a: known({ turn: 8 }), b: known({ turn: 7 }) },
    peers: { x: 9, y: 8 },
    next: later('b', 'y'),
  },
  {
    title: 'what is urgent, wherever it comes from',
    waiting: [later('a', 'y'), urgent('b', 'x')],
    peers: { x: 9, y: 8 },
    next: urgent('b', 'x'),
  },
  {
    title: 'nobody whose job is in hand already, however urgent',
    waiting: [urgent('a'), later('b')],
    running: [busy('a')],
    next: later('b'),
  },
  {
    title: 'nobody whose jobs are too costly, while those rest',
    waiting: [urgent('a'), later('b')],
    tenants: { a: known({ costlyUntil: NOW + 1 }) },
    restUntil: NOW + 1,
    next: later('b'),
  },
  {
    title: 'who has rested',
    waiting: [urgent('a')],
    tenants: { a: known({ costlyUntil: NOW + 1 }) },
    restUntil: NOW,
    next: urgent('a'),
  },
  { title: 'a slow one, while the others leave room', waiting: [later('a')], tenants: { a: slow }, next: later('a') },
  {
    title: 'no slow one for the last thread, while another slow one has one',
    waiting: [urgent('a'), later('c')],
    running: [busy('b')],
    tenants: { a: slow, b: slow },
    next: later('c'),
  },
  {
    title: 'no slow one for the last thread, while a job is long in hand',
    waiting: [urgent('a'), later('c')],
    running: [busy('b', NOW - SLOW - 1)],
    tenants: { a: slow },
    next: later('c'),
  },
  {
    title: 'no stranger for the last thread, while another one has one',
    waiting: [urgent('new'), later('c')],
    running: [busy('newer')],
    next: later('c'),
  },
  {
    title: 'a stranger, while the others leave room',
    waiting: [later('new')],
    running: [busy('b')],
    next: later('new'),
  },
  {
    title: 'no slow one, while the others need the thread that there is',
    waiting: [urgent('a'), later('b')],
    tenants: { a: slow },
    left: 0,
    next: later('b'),
  },
  {
    title: 'one that was slow long ago, as any other',
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
