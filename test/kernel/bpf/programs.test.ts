import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { missingForBpf } from '../../../deploy/build-bpf.ts'
import type { EnhanceProtect } from '../../../src/api/types.ts'
import { recordKinds } from '../../../src/audit/decode/bpf-record.ts'
import { mapSizes, TABLES_OF_PROFILE, tableMaps } from '../../../src/profile/bpf/layout.ts'
import { EGRESS_ENTRIES, PROFILES } from '../../../src/profile/bpf/limits.ts'
import { placesOfProfile } from '../../../src/profile/bpf/places.ts'
import { printSteps } from '../../cluster/steps.ts'
import { ObjectTypes } from '../../native/object-types.ts'
import { sharedStructs } from '../../native/shared-structs.ts'
import { type Change, ensureBpfObjects } from '../guest/bpf-object.ts'
import { Guest } from '../guest/guest.ts'
import { chosenKernels } from '../guest/kernels.ts'
import { NotAvailable } from '../guest/not-available.ts'
import { missingForGuest } from '../guest/requirements.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import { profileBytes } from './profile-bytes.ts'
import { hooksOf, unusedHooks } from './unused-hooks.ts'
import * as verified from './verified.ts'

/** The attacks of attack.c and their expected results. */
type Expected = Record<string, 'passed' | 'refused'>

const verdicts = (refused: string[], passed: string[]): Expected =>
  Object.fromEntries([...refused.map((what) => [what, 'refused']), ...passed.map((what) => [what, 'passed'])])

const files: EnhanceProtect = {
  auditViolations: true,
  bpfRawRules: {
    files: [
      { pattern: '/deny/**', permissions: ['read', 'write'] },
      { pattern: '/secret/s', permissions: ['read'] },
      { pattern: '/usr/bin/noexec', permissions: ['exec'] },
      { pattern: '/gone/way/key', permissions: ['read'] },
    ],
  },
}

/** Paths that the kernel resolves through a task's descriptors, handles or texts, so that they may mean any file. */
const ofAnyFile = [
  'make a snapshot (Btrfs)',
  'remove a subvolume (Btrfs)',
  'search the trees of a file system (Btrfs)',
  'exchange extents of two files (XFS)',
  'move extents of a file (ext4)',
  'make a subvolume (bcachefs)',
]

/** Operations without a usable path, in the order of the attempts; they count as matches of the rules. */
const ofNoPath = ['make a file where no path leads', 'read at the end of a path of over 4,096 bytes']

const ofFiles = verdicts(
  [
    ...['read', 'append', 'read by a relative path', 'read by a path with dots', 'read by /proc/self/root'],
    ...['read by a symbolic link', 'read from a descriptor of a directory', 'open a descriptor of a path again'],
    ...['read after chroot', "read a rule's file of one name"],
    ...['rename away', 'rename its directory', 'rename the directory of the rule'],
    ...['exchange', 'exchange from the other side', 'link to another name', 'truncate', 'unlink'],
    ...['remove a directory', 'make a directory', 'make a file', 'make a pipe', 'make a symbolic link'],
    ...['open a pipe', 'unlink a pipe', 'connect to a socket', 'link into it', 'rename into it'],
    ...['change its mode', 'change its owner', 'change its attributes', 'change its times'],
    ...['read where it is bound', 'read from a detached copy of the mount'],
    ...['read in another mount namespace', 'read in another user namespace', 'read where it was bound, as a root'],
    ...['read 40 directories below', ...ofNoPath],
    ...['run', 'run by a relative path', 'run by a descriptor', 'run by a line that begins with #!'],
    ...['map executable', 'make executable what is mapped'],
    ...['mount over it', 'mount over what is on the way to it', 'unmount what it is in', 'move a mount'],
    'make another directory the root',
    ...['make a symbolic link where a way is gone', 'link one there', 'rename one to there'],
    ...['rename a symbolic link over that', 'exchange that for a symbolic link', 'exchange that for a directory'],
    ...['exchange a directory for that', 'bind a symbolic link over that'],
    ...ofAnyFile,
  ],
  [
    ...['read a file of no rule', "write a file whose name begins like a rule's", 'read one whose name begins with it'],
    ...['write it, which no rule is about', 'list the directory that it is in', "change another's times"],
    // A bound object keeps its name.
    ...['bind its directory elsewhere', 'mount elsewhere', 'unmount that'],
    'connect to another socket',
    ...['open a memory file', 'open a pipe again', 'run a program of no rule', 'map readable'],
    ...['make a symbolic link to go elsewhere', 'make a file where a way is gone', 'rename a file over it'],
    ...['remove that', 'make an empty directory there', 'start to write a file system (Btrfs)'],
  ],
)

const other: EnhanceProtect = {
  auditViolations: true,
  hardeningRules: [
    'disable-cap-net-raw',
    'disallow-create-user-ns',
    'disallow-load-all-bpf-prog',
    'disallow-debug-disk-device',
  ],
  bpfRawRules: { ptrace: { strictMode: false, permissions: ['trace', 'read'] } },
}

const ofOthers = verdicts(
  [
    ...['make a raw socket', 'make a user namespace', 'make a user namespace by another call'],
    ...['make a process in a new user namespace', 'load a program', 'trace another one'],
    ...['read the memory of another one', 'read a disk, whatever its name'],
  ],
  [
    ...['change an owner, which takes another capability', 'make a map', 'look for a program'],
    ...['trace a process of the container', 'read another file'],
  ],
)

/** Before Linux 6.1, unshare(2) has no hook that chooses the error, so it reports a lack of memory. */
const ofOthersBefore61: Record<string, string> = {
  'make a user namespace': 'errno-12',
  'make a user namespace by another call': 'errno-12',
}

const mounts: EnhanceProtect = {
  auditViolations: true,
  bpfRawRules: {
    mounts: [
      { sourcePattern: '**', fstype: 'proc', flags: ['all'] },
      { sourcePattern: '/free/m', fstype: '*', flags: ['ro'] },
      { sourcePattern: '/free/own', fstype: '*', flags: ['umount'] },
    ],
  },
}

const ofMounts = verdicts(
  ['mount a type', 'mount a type by the newer calls', 'make it read-only', 'unmount'],
  [
    ...['mount another type', 'mount it by the newer calls', 'make it private', 'make another one read-only'],
    'unmount another one',
  ],
)

const network: EnhanceProtect = {
  auditViolations: true,
  bpfRawRules: {
    network: {
      sockets: [{ protocols: ['icmp'] }, { domains: ['netlink'] }],
      egress: {
        toDestinations: [
          { ip: '127.0.0.1', ports: [{ port: 8080 }] },
          { cidr: '10.1.0.0/16' },
          { ip: '::1', ports: [{ port: 9000, endPort: 9010 }] },
          { ip: 'pod-self', ports: [{ port: 7 }] },
        ],
      },
    },
  },
}

const ofNetwork = verdicts(
  [
    ...['connect to an address', 'connect to the unspecified address', 'connect to the address in IPv6'],
    ...['send to the address', 'send to the address without a family', 'send to the address in IPv6'],
    ...['send with the first packet of a connection', 'connect into a block', 'connect to a port of a range'],
    'connect into a block behind a gateway of IPv6',
    'connect to it by an address without its last field',
    ...[
      'connect to the own pod',
      'connect to the own pod in IPv6',
      'connect to the own pod by an IPv4 address in IPv6',
    ],
    ...['make a socket of a protocol', 'make a raw socket of it', 'make a socket of a family'],
    ...['make a socket that sends frames', 'ask for headers of its own', 'ask for headers of its own in IPv6'],
    ...['ask for a route', 'ask for a route in the older way', 'ask for a route in IPv4'],
    'ask for a label, which may bring a route',
    ...['send by a route', 'send by a route in the older way', 'send by a route in IPv4'],
  ],
  [
    ...[
      'connect to another port',
      'send to another port',
      'connect beside a block',
      'connect to the port after a range',
      'connect to another port of the own pod',
      'connect to another pod',
    ],
    ...['make a socket of another protocol', 'make a socket of another family'],
    ...['ask for another option', 'send with another option'],
  ],
)

const sources = join(import.meta.dirname, '../../../native/bpf')
const objectNames = ['varmor.bpf.o', 'varmor-old.bpf.o']

/** Hooks to which vArmor attaches programs. */
const usedHooks = new Set(
  readdirSync(sources)
    .filter((name) => name.endsWith('.bpf.c'))
    .flatMap((name) => {
      const text = readFileSync(join(sources, name), 'utf8')
      const changes = [...text.matchAll(/^CHANGE\((\w+),/gm)].map(([, hook]) => `path_${hook}`)
      return [...Array.from(text.matchAll(/SEC\("lsm\/(\w+)"\)/g), ([, hook]) => hook!), ...changes]
    }),
)

/** Simulates a kernel that keeps no data about any task. */
const byHand: Change = { file: 'task.h', text: '\town = own_task_of(task);', instead: '\town = NULL;' }

function compileHere(folder: string, name: string, ...more: string[]): string {
  const program = join(folder, name)
  const flags = ['-D_GNU_SOURCE', '-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-static']
  const source = join(import.meta.dirname, `${name}.c`)
  execFileSync('gcc', [...flags, `-I${sources}`, '-o', program, source, ...more])
  return program
}

/** Boots a guest and copies files to its /tmp. */
async function bootWith(kernel: Parameters<typeof Guest.boot>[0]['kernel'], paths: string[]): Promise<Guest> {
  const guest = await Guest.boot({ kernel })
  for (const path of paths) {
    const target = `/tmp/${path.split('/').at(-1)}`
    await guest.run(['sh', '-c', `cat > ${target}; chmod +x ${target}`], { input: readFileSync(path) })
  }
  return guest
}

describe('BPF programs on a real kernel', () => {
  const missing = [...missingForBpf(), ...missingForGuest().map(({ what }) => what)]
  let folder = ''
  let objects = ''
  let paths: string[] = []
  before(function () {
    if (missing.length > 0) {
      console.warn(`BPF programs skipped: needs ${missing.join(', ')}; run .ci/setup`)
      this.skip()
    }
    folder = mkdtempSync(join(tmpdir(), 'varmor-bpf-'))
    const probe = join(import.meta.dirname, '../../../native/addon/bpf-object.c')
    const libraries = ['-lbpf', '-lelf', '-lz']
    paths = [compileHere(folder, 'attack'), compileHere(folder, 'under-profile', probe, ...libraries)]
    paths.push(join(import.meta.dirname, 'prepare.sh'))
    for (const [name, policy] of Object.entries({ files, mounts, network, other })) {
      writeFileSync(join(folder, `${name}.profile`), profileBytes(policy, ['10.3.0.5', 'fd00::3:5']))
      paths.push(join(folder, `${name}.profile`))
    }
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const kernel of chosenKernels())
    describe(`Linux ${kernel}`, () => {
      let guest: Guest
      const old = kernel === '5.10'
      before(async function () {
        try {
          objects = (await ensureBpfObjects(printSteps))!
          guest = await bootWith(kernel, [...paths, ...objectNames.map((name) => join(objects, name))])
        } catch (error) {
          if (!(error instanceof NotAvailable)) throw error
          console.warn(error.message)
          this.skip()
        }
        const { code, stderr } = await guest.run(['sh', '/tmp/prepare.sh'])
        expect(code, stderr).to.equal(0)
      })
      after(() => guest?.stop())

      /** @param programs folder of the BPF object */
      const runWith = async (
        programs: string,
        profile: string,
        what: string,
        variables: string[],
      ): Promise<Outcome> => {
        // An earlier attack created and moved files here.
        await guest.run(['sh', '-c', 'rm -rf /gone && mkdir -p /gone/folder && echo x > /gone/file'])
        const command = ['/tmp/under-profile', programs, `/tmp/${profile}.profile`, '/tmp/attack', what]
        const { code, stdout, stderr } = await guest.run(['env', ...variables, ...command])
        expect(code, stdout + stderr).to.equal(0)
        return outcomeOf(stdout)
      }
      const run = (profile: string, what: string, ...variables: string[]): Promise<Outcome> =>
        runWith('/tmp', profile, what, variables)

      for (const name of objectNames)
        it(`have in ${name} the structs and maps that TypeScript writes, with room for the last profile`, () => {
          const types = new ObjectTypes(join(objects, name))
          const structs = [...types.structs('varmor_')].filter(([name]) => sharedStructs.has(name))
          expect(structs.map(([name]) => name)).to.include.members([
            'varmor_profile',
            'varmor_container',
            'varmor_v6_key',
          ])
          for (const [name, type] of structs) expect(type, name).to.deep.equal(sharedStructs.get(name))
          const maps = types.maps()
          for (const [name, sizes] of Object.entries(mapSizes)) {
            const value = 'inner' in sizes ? sizes.inner : sizes.value
            expect(maps.get(name), name).to.include({ key: sizes.key, value })
          }
          for (const { map, key } of placesOfProfile(PROFILES - 1))
            expect(maps.get(map)!.entries, map).to.be.above(Buffer.from(key).readUInt32LE())
          for (const { map } of tableMaps) expect(maps.get(map)!.entries, map).to.equal(PROFILES * TABLES_OF_PROFILE)
          for (const name of ['varmor_v4', 'varmor_v6', 'varmor_ports'])
            expect(maps.get(name)!.entries, name).to.equal(EGRESS_ENTRIES)
        })

      it('are asked by each hook of the kernel, or it is said why not', async () => {
        const { stdout } = await guest.run(['sh', '-c', "tr '\\0' '\\n' < /sys/kernel/btf/vmlinux | grep ^bpf_lsm_"])
        const hooks = hooksOf(stdout)
        expect(hooks.length).to.be.above(150)
        expect(hooks.filter((hook) => !usedHooks.has(hook) && !unusedHooks.has(hook))).to.deep.equal([])
        expect([...unusedHooks.keys()].filter((hook) => usedHooks.has(hook))).to.deep.equal([])
      })

      it('refuse what rules about files forbid, by whatever way, and nothing beside', async () => {
        const { answers, events, object: loaded, programs, counts } = await run('files', 'files')
        expect(answers).to.deep.equal(ofFiles)
        expect(loaded).to.equal(old ? 'varmor-old.bpf.o' : 'varmor.bpf.o')
        verified.check(loaded, programs)
        expect(counts).to.deep.include({ ringFull: 0, noScratch: 0, heldBack: 0 })
        expect(events.length).to.equal(counts.reported).and.to.be.at.least(35)
        expect(events.every(({ action }) => action === 'DENIED')).to.equal(true)
        expect(events[0]!.event).to.deep.include({ operation: 'File', permissions: ['read'], path: '/deny/a/b/c' })
        expect(events[0]!.exe).to.equal('/tmp/attack')
        const unknown = events.filter(({ pathUnknown }) => pathUnknown === true)
        expect(unknown.map(({ event }) => event)).to.deep.equal([
          ...ofAnyFile.map(() => ({ operation: 'File', permissions: ['write', 'read'], path: '' })),
          { operation: 'File', permissions: ['create'], path: '' },
          { operation: 'File', permissions: ['read'], path: '' },
        ])
      })

      it('give the same answers with memory of the task where that of all is taken, or refuse', async () => {
        const { answers, counts } = await run('files', 'files', 'VARMOR_TEST_TAKEN=1')
        // Linux before 6.1 has no task memory, and Linux 7 limits it to 8 KiB. An attack on a file that could not be
        // opened fails in another way.
        const none = old || kernel === 'sid'
        if (none) {
          expect(answers).to.have.keys(Object.keys(ofFiles))
          expect(Object.keys(answers).filter((what) => answers[what] === 'passed')).to.deep.equal([])
        } else expect(answers).to.deep.equal(ofFiles)
        // The use of the task's own memory is not a loss.
        if (none) expect(counts.noScratch).to.be.above(50)
        else expect(counts.noScratch).to.equal(0)
      })

      it('find the container of a task where the kernel does not say what is kept of it', async function () {
        // Old kernels keep tasks in a map, so this case cannot occur there.
        if (old) this.skip()
        const { code } = await guest.run(['mkdir', '-p', '/tmp/by-hand'])
        expect(code).to.equal(0)
        const object = readFileSync(join((await ensureBpfObjects(printSteps, byHand))!, objectNames[0]!))
        await guest.run(['sh', '-c', `cat > /tmp/by-hand/${objectNames[0]}`], { input: object })
        const { answers } = await runWith('/tmp/by-hand', 'files', 'files', [])
        expect(answers).to.deep.equal(ofFiles)
      })

      it('refuse as ever what they report no more of than they may, and count the rest to the unit', async () => {
        // The limit is one record in ten minutes, with a burst of 100.
        const rate = `VARMOR_TEST_RATE=${600e9}/${100 * 600e9}`
        const { answers, events, counts, buckets } = await run('files', 'flood', rate)
        expect(answers).to.deep.equal(verdicts(['read it ever so often', 'run'], []))
        const tries = 2_000
        const [file, exec] = [recordKinds.file.number, recordKinds.exec.number]
        const held = new Map(buckets.map(({ kind, held: number }) => [kind, number]))
        console.log(`      ${tries} refusals: ${JSON.stringify(counts)}`)
        expect(counts).to.include({ ringFull: 0, noScratch: 0, heldBack: held.get(file)! })
        expect(counts.reported + counts.heldBack).to.equal(tries + 1)
        expect(held.get(exec)).to.equal(0)
        expect(buckets.every(({ container }) => container === 1)).to.equal(true)
        expect(events.filter(({ event }) => event.operation === 'Bprm')).to.have.length(1)
        expect(events).to.have.length(101)
      })

      it('count all that finds the ring full, beside what they hold back', async () => {
        // The burst is larger than the ring; after it, almost no records are allowed.
        const rate = `VARMOR_TEST_RATE=${600e9}/${1_500 * 600e9}`
        const { events, counts } = await run('files', 'flood', rate, 'VARMOR_TEST_RING=65536')
        console.log(`      2000 refusals: ${JSON.stringify(counts)}`)
        expect(counts).to.include({ noScratch: 0, heldBack: 500 })
        expect(counts.ringFull).to.be.above(0)
        expect(counts.reported + counts.ringFull + counts.heldBack).to.equal(2_001)
        expect(events).to.have.length(counts.reported)
      })

      it('refuse changes of the mount table', async () => {
        const { answers, events } = await run('mounts', 'mounts')
        expect(answers).to.deep.equal(ofMounts)
        expect(events).to.have.length(Object.values(ofMounts).filter((answer) => answer === 'refused').length)
        expect(events[0]!.event).to.deep.include({ operation: 'Mount', path: '/free/m' })
      })

      it('refuse sockets by their kind, and packets by where they go', async () => {
        const { answers, events } = await run('network', 'network')
        expect(answers).to.deep.equal(ofNetwork)
        expect(events).to.have.length(Object.values(ofNetwork).filter((answer) => answer === 'refused').length)
        const [first] = events
        expect(first!.event).to.deep.include({ operation: 'Network', address: { ip: '127.0.0.1', port: 8080 } })
      })

      it('refuse capabilities, user namespaces, BPF and tracing', async () => {
        const { answers, events } = await run('other', 'others')
        expect(answers).to.deep.equal(old ? { ...ofOthers, ...ofOthersBefore61 } : ofOthers)
        const operations = new Set(events.map(({ event }) => event.operation))
        expect(operations).to.deep.equal(new Set(['Capability', 'Userns', 'Bpf', 'Ptrace', 'File']))
      })

      it('make no process that the rules would not hold for, and forget those that have ended', async () => {
        const { answers, object: loaded, tasks } = await run('other', 'forks', 'VARMOR_TEST_TASKS=2')
        // Only Linux before 6.1 limits the number of tasks: 262,144 by default, and two in this test.
        const isLimited = loaded === 'varmor-old.bpf.o'
        expect(answers).to.deep.equal({
          'make a process': 'passed',
          'make another process': isLimited ? 'errno-12' : 'passed',
          'make one in place of another': 'passed',
        })
        expect(tasks).to.equal(isLimited ? 0 : undefined)
      })
    })
})
