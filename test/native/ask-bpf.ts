import { loadBpfAddon } from '../../src/enforcer/bpf/addon.ts'

/**
 * Calls the BPF addon, for a process with fake-libbpf.c, and prints the answer as JSON. `load FOLDER` loads the
 * programs. `entries VANISHES...` reads a map once for each argument: its entries, or the message of the error.
 */
const addon = loadBpfAddon()
if (typeof addon === 'string') throw new Error(addon)
const [what, ...args] = process.argv.slice(2)

const entries = (vanishes: string): number[] | string => {
  process.env['VANISHES'] = vanishes
  try {
    return [...new Uint32Array(addon.entries(addon.open('/'), 'map').buffer)]
  } catch (error) {
    return (error as Error).message
  }
}

const sizes = { ringBytes: 4096, containers: 2, profiles: 2 }
const load = () => addon.load({ object: 'none', folder: args[0]!, hostMntNs: 7, strictStart: 1, ...sizes })
console.log(JSON.stringify(what === 'load' ? await load() : args.map(entries)))
