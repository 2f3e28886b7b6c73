{
  'targets': [
    {
      'target_name': 'audit',
      'sources': [
        'addon.c',
        'audit-control.c',
        'audit-listener.c',
        'audit-socket.c',
        'batch-ring.c',
        'fork-binding.c',
        'fork-labels.c',
        'fork-table.c',
        'fork-tree.c',
        'frame-record.c',
        'intake.c',
        'napi-help.c',
        'proc-connector.c',
        'proc-scan.c',
        'side-thread.c',
      ],
      'defines': ['NAPI_VERSION=8', '_GNU_SOURCE'],
      'cflags_c': ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
      # Node's common.gypi switches this warning off; unused parameters are worth knowing about.
      'cflags!': ['-Wno-unused-parameter'],
      'conditions': [['OS!="linux"', {'type': 'none', 'sources': []}]],
    },
  ],
}
