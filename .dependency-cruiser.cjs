// The rooms of docs/design/rooms.md and what each may import. Anything not listed here is refused, so a new import
// between rooms needs a line here and a reason in the commit.
const rooms = {
  'src/base': [],
  'src/api': [],
  'src/confinement': ['src/base', 'src/api'],
  'src/rules': ['src/api'],
  'src/profile': ['src/base', 'src/api', 'src/rules'],
  'src/advice': ['src/base', 'src/api', 'src/rules', 'src/profile'],
  'src/model': ['src/base', 'src/api', 'src/rules', 'src/profile'],
  'src/audit': ['src/base', 'src/api'],
  'src/kube': ['src/base', 'src/api'],
  'src/enforcer': ['src/base', 'src/api', 'native'],
  'src/http': ['src/base'],
  'src/metrics': ['src/base', 'src/http', 'src/kube', 'actors/runtime'],
  'actors/runtime': ['src/base'],
  // The managers' defaults are in their room, and the option tables show them.
  'src/options': ['src/base', 'src/api', 'src/profile', 'src/audit', 'actors', 'src/manager'],
  actors: ['actors/runtime', 'src/base', 'src/api', 'src/confinement', 'src/profile', 'src/model'],
}
const composition = ['src/manager', 'src/agent', 'src/sandbox']

const quoted = (path) => path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const inRoom = (room) => (room === 'actors' ? '^actors/(?!runtime/)' : `^${quoted(room)}/`)
const code = '^(src|actors|native)/'

const forbidden = Object.entries(rooms).map(([room, allowed]) => ({
  name: `${room.replace('/', '-')}-imports`,
  comment: `${room} may import only: ${allowed.join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: inRoom(room) },
  to: { path: code, pathNot: [inRoom(room), ...allowed.map(inRoom)] },
}))

module.exports = {
  forbidden: [
    ...forbidden,
    {
      name: 'composition-below-cli',
      comment: 'The command line is the top: nothing that runs imports it.',
      severity: 'error',
      from: { path: composition.map((room) => `^${room}/`) },
      to: { path: '^src/cli/' },
    },
    {
      name: 'sandbox-from-cli-alone',
      comment: 'The sandbox is for a laptop and for tests: nothing that runs in a cluster imports it.',
      severity: 'error',
      from: { path: '^(src|actors)/', pathNot: '^src/(cli|sandbox)/' },
      to: { path: '^src/sandbox/' },
    },
    {
      name: 'tests-are-leaves',
      comment: 'Product code imports neither tests nor benchmarks.',
      severity: 'error',
      from: { path: code },
      to: { path: '^(test|bench|deploy)/' },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependencies',
      comment: 'What ships may use only what is installed with it.',
      severity: 'error',
      from: { path: code },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
