{
  'target_defaults': {
    'defines': ['NAPI_VERSION=8', '_GNU_SOURCE'],
    'cflags_c': ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
    # Node's common.gypi disables this warning, but an unused parameter may be a mistake.
    'cflags!': ['-Wno-unused-parameter'],
  },
  'targets': [
    {
      'target_name': 'audit',
      'sources': [
        'addon.c',
        'audit-control.c',
        'audit-listener.c',
        'audit-socket.c',
        'batch-binding.c',
        'batch-ring.c',
        'cgroup-path.c',
        'change-ring.c',
        'fork-binding.c',
        'fork-labels.c',
        'fork-table.c',
        'fork-tree.c',
        'frame-record.c',
        'intake.c',
        'known-binding.c',
        'known-facts.c',
        'known-forms.c',
        'known-kinds.c',
        'known-records.c',
        'napi-help.c',
        'proc-connector.c',
        'proc-scan.c',
        'rules-binding.c',
        'side-thread.c',
      ],
      'conditions': [['OS!="linux"', {'type': 'none', 'sources': []}]],
    },
  ],
  'conditions': [
    # The BPF enforcer needs libbpf.
    ['OS=="linux" and "<!(test -e /usr/include/bpf/libbpf.h && echo yes || echo no)"=="yes"', {
      'targets': [
        {
          'target_name': 'bpf',
          'sources': [
            'batch-binding.c',
            'batch-ring.c',
            'bpf-addon.c',
            'bpf-object.c',
            'bpf-ring-binding.c',
            'bpf-ring.c',
            'bpf-state.c',
            'napi-help.c',
            'side-thread.c',
          ],
          'libraries': ['-lbpf'],
        },
      ],
    }],
  ],
}
