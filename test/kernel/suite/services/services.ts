import { join } from 'node:path'

/** An action on a service, by a client in its pod or by its administrator. */
export type Step =
  | { client: string }
  | { signal: NodeJS.Signals }
  /** Renames a file of the service from outside, as a tool that rotates logs does. */
  | { rename: [from: string, to: string] }
  /** Waits until the number in this file of the service has grown by `by`. */
  | { counts: string; by: number }

/** A workload: its program, and the steps that exercise it. */
export interface Service {
  name: string
  /** The name in the tables. */
  title: string
  command: readonly string[]
  env?: readonly string[]
  /** A command that succeeds when the service accepts requests. */
  ready: Step
  round: readonly Step[]
  /** Signal that ends the service properly. */
  ends: NodeJS.Signals
  /** A program that the service never runs. */
  stranger: string
}

/** Folder of `srv/` in the containers. */
const srv = '/srv'
export const srvFolder = join(import.meta.dirname, 'srv')

/** Path of the service account's token in every pod. */
export const tokenPath = '/run/secrets/kubernetes.io/serviceaccount/token'

const licenses = '/usr/share/common-licenses'
const get = (url: string): string => `curl -sSf -o /dev/null ${url}`
const status = (code: number, words: string): string =>
  `[ "$(curl -s -o /dev/null -w '%{http_code}' ${words})" = ${code} ]`

/** Capabilities that make the attacker strong, so that only the enforcer refuses the attack. */
export const powers = ['sys_admin', 'sys_ptrace', 'sys_module', 'bpf', 'net_raw', 'mknod', 'dac_override'] as const
const asPostgres = ['/probes/as-user', 'postgres', powers.join()]
const settings = {
  config_file: '/etc/postgresql/15/main/postgresql.conf',
  hba_file: `${srv}/pg_hba.conf`,
  external_pid_file: '',
  unix_socket_directories: '/tmp',
  logging_collector: 'on',
  log_directory: '/var/log/postgresql',
  shared_buffers: '16MB',
  autovacuum_naptime: '5s',
  max_parallel_workers: '2',
}

const psql = (...statements: string[]): string =>
  `psql -h 127.0.0.1 -U postgres -qAt -v ON_ERROR_STOP=1 -d postgres ${statements.map((one) => `-c "${one}"`).join(' ')} > /dev/null`
const redisWaits = (field: string): string =>
  `until redis-cli info persistence | grep -q '^${field}:0'; do sleep 0.3; done`

export const services: readonly Service[] = [
  {
    name: 'nginx',
    title: 'nginx',
    command: ['nginx', '-c', `${srv}/nginx.conf`],
    ready: { client: get('http://127.0.0.1/GPL-3') },
    round: [
      {
        client: [
          get('http://127.0.0.1/GPL-3'),
          get('-I http://127.0.0.1/GPL-2'),
          get('--compressed http://127.0.0.1/LGPL-3'),
          get('-r 10-99 http://127.0.0.1/GPL-3'),
          get('http://127.0.0.1/'),
          status(404, 'http://127.0.0.1/missing'),
          `head -c 300000 /dev/zero | ${get('--data-binary @- http://127.0.0.1/upload')}`,
        ].join(' && '),
      },
      { signal: 'SIGHUP' },
      { client: get('--retry 5 --retry-connrefused http://127.0.0.1/BSD') },
      { rename: ['/var/log/nginx/access.log', '/var/log/nginx/access.log.1'] },
      { signal: 'SIGUSR1' },
      { client: get('--retry 5 --retry-connrefused http://127.0.0.1/Artistic') },
    ],
    ends: 'SIGQUIT',
    stranger: '/bin/sh',
  },
  {
    name: 'redis',
    title: 'redis',
    command: ['redis-server', `${srv}/redis.conf`],
    ready: { client: 'redis-cli ping | grep -q PONG' },
    round: [
      {
        client: [
          'redis-cli set key value ex 100 > /dev/null',
          'redis-cli lpush list 1 2 3 > /dev/null',
          `redis-cli eval "return redis.call('incr', 'count')" 0 > /dev/null`,
          'redis-benchmark -q -n 300 -t set,get,lpush > /dev/null',
          'redis-cli bgsave > /dev/null',
          redisWaits('rdb_bgsave_in_progress'),
          'redis-cli bgrewriteaof > /dev/null',
          redisWaits('aof_rewrite_in_progress'),
          'redis-cli info > /dev/null',
          'redis-cli del list > /dev/null',
        ].join(' && '),
      },
    ],
    ends: 'SIGTERM',
    stranger: '/bin/sh',
  },
  {
    name: 'postgresql',
    title: 'postgresql',
    command: [
      ...asPostgres,
      ...['/usr/lib/postgresql/15/bin/postgres', '-D', '/var/lib/postgresql/15/main'],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    ready: { client: 'pg_isready -q -h 127.0.0.1' },
    round: [
      {
        client: [
          psql(
            'create table if not exists seen (id serial primary key, words text)',
            'insert into seen (words) select md5(n::text) from generate_series(1, 3000) n',
            'create index if not exists seen_words on seen (words)',
            "update seen set words = words || 'x' where id % 10 = 0",
            "set work_mem = '64kB'; select words from seen order by words desc",
            'copy seen to stdout',
            'vacuum full seen',
            'analyze seen',
            'delete from seen where id % 2 = 0',
            'checkpoint',
            'select pg_switch_wal()',
            'select pg_rotate_logfile()',
          ),
          psql('create database extra'),
          psql('drop database extra'),
          'pg_dump -h 127.0.0.1 -U postgres postgres > /dev/null',
          psql('vacuum seen'),
        ].join(' && '),
      },
      { signal: 'SIGHUP' },
      { client: psql('select 1') },
    ],
    ends: 'SIGINT',
    stranger: '/bin/sh',
  },
  {
    name: 'python',
    title: 'python http.server',
    command: ['python3', '-m', 'http.server', '8000', '--directory', licenses],
    ready: { client: get('http://127.0.0.1:8000/BSD') },
    round: [
      {
        client: [
          get('http://127.0.0.1:8000/GPL-3'),
          get('-I http://127.0.0.1:8000/GPL-2'),
          get('http://127.0.0.1:8000/'),
          get("-H 'If-Modified-Since: Mon, 01 Jan 2035 00:00:00 GMT' http://127.0.0.1:8000/GPL-1"),
          status(404, 'http://127.0.0.1:8000/missing'),
          status(501, '-d words http://127.0.0.1:8000/'),
          `for i in 1 2 3; do ${get('http://127.0.0.1:8000/LGPL-2')} & done; wait`,
        ].join(' && '),
      },
    ],
    ends: 'SIGINT',
    stranger: '/bin/sh',
  },
  {
    name: 'script',
    title: 'shell script with children',
    command: ['bash', `${srv}/work.sh`],
    ready: { counts: '/var/lib/work/rounds', by: 1 },
    round: [{ counts: '/var/lib/work/rounds', by: 3 }],
    ends: 'SIGTERM',
    stranger: '/usr/bin/python3',
  },
  {
    name: 'node',
    title: 'node',
    command: ['node', `${srv}/app.cjs`],
    ready: { client: get('http://127.0.0.1:8000/list') },
    round: [
      {
        client: [
          ...['file', 'worker', 'key', 'list', 'own'].map((path) => get(`http://127.0.0.1:8000/${path}`)),
          `head -c 200000 /dev/zero | ${get('--data-binary @- http://127.0.0.1:8000/upload')}`,
          status(404, 'http://127.0.0.1:8000/missing'),
        ].join(' && '),
      },
      { signal: 'SIGHUP' },
      { client: get('http://127.0.0.1:8000/list') },
    ],
    ends: 'SIGTERM',
    stranger: '/bin/sh',
  },
  {
    name: 'caddy',
    title: 'caddy, a Go program',
    command: ['caddy', 'run', '--config', `${srv}/Caddyfile`, '--adapter', 'caddyfile'],
    env: ['HOME=/root'],
    ready: { client: get('http://127.0.0.1:8000/BSD') },
    round: [
      {
        client: [
          get('http://127.0.0.1:8000/GPL-3'),
          get('-I http://127.0.0.1:8000/GPL-2'),
          get('--compressed http://127.0.0.1:8000/LGPL-3'),
          get('http://127.0.0.1:8000/'),
          get('http://127.0.0.1:8000/proxied/words'),
          status(404, 'http://127.0.0.1:8000/missing'),
          get('http://127.0.0.1:2019/config/'),
          `curl -sSf -H 'Content-Type: text/caddyfile' --data-binary @${srv}/Caddyfile http://127.0.0.1:2019/load`,
          get('--retry 5 --retry-connrefused http://127.0.0.1:8000/BSD'),
        ].join(' && '),
      },
    ],
    ends: 'SIGTERM',
    stranger: '/bin/sh',
  },
]

/** Services of a run by default: a server with children and a server with signals, which take few minutes. */
const min = ['nginx']

/** The services from the variable VARMOR_SERVICES: names separated by commas, or `all`. */
export function chosenServices(given = process.env['VARMOR_SERVICES']): readonly Service[] {
  if (given === 'all') return services
  const names = given === undefined || given === '' ? min : given.split(',')
  const unknown = names.filter((name) => !services.some((one) => one.name === name))
  if (unknown.length > 0) throw new Error(`VARMOR_SERVICES: no service is called ${unknown.join(', ')}`)
  return services.filter(({ name }) => names.includes(name))
}
