/**
 * Earlier figures of upstream's manager on another machine (commit 82baa15, Kubernetes 1.37.2 with kwok nodes, 2
 * cores), for rows that `--upstream` does not measure, and this project's targets with 1,000 policies.
 */
export const upstream: Record<string, { theirs: string; aim: string }> = {
  'policies applied: all ArmorProfiles': { theirs: '24.8 s', aim: '<= 6 s' },
  'policies applied: calls per policy': { theirs: '4', aim: '' },
  'policies applied: CPU': { theirs: '3 s', aim: '<= 5 s' },
  'policies deleted: all gone': { theirs: '25.8 s', aim: '<= 10 s' },
  'restart: synced and quiet': { theirs: '49 s', aim: '<= 1.5 s' },
  'restart: writes': { theirs: '7000 requests', aim: '0' },
  'reports, token check: time': { theirs: '13.6 s', aim: '' },
  'reports, token check: CPU': { theirs: '2.5 s', aim: '' },
  'reports, token check: peak RSS': { theirs: '169 MiB', aim: '' },
  'restarts: maximum in flight': { theirs: '96-99 of 100', aim: 'the limit' },
  'restarts: before the profile is loaded': { theirs: 'all (first after 0.1 s)', aim: '0' },
  'RSS with the policies': { theirs: '96 MiB at 1000', aim: '<= 150 MiB' },
}
