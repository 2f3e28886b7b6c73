/**
 * Abstractions of AppArmor 2.13 to 4.1 that do not allow a transition to another profile, and neither do the files that
 * they include. Profiles cannot include other abstractions: some run programs outside of the profile (`ubuntu-*`,
 * `opencl`), and the content of other files on a node is unknown.
 */
// biome-ignore format: a table reads better
export const abstractions: readonly string[] = [
  'apache2-common', 'aspell', 'audio', 'base', 'bash', 'consoles', 'crypto', 'cups-client', 'dbus', 'dbus-strict',
  'dri-common', 'dri-enumerate', 'fonts', 'gnupg', 'hosts_access', 'kerberosclient', 'ldapclient', 'likewise', 'mdns', 'mesa',
  'mysql', 'nameservice', 'nis', 'nss-systemd', 'openssl', 'p11-kit', 'perl', 'php', 'php5', 'postfix-common',
  'private-files', 'private-files-strict', 'python', 'ruby', 'smbpass', 'ssl_certs', 'ssl_keys', 'svn-repositories',
  'user-download', 'user-mail', 'user-manpages', 'user-tmp', 'user-write', 'video', 'vulkan', 'wayland', 'web-data', 'winbind',
  'wutmp', 'xad',
]

/** Abstractions with silent denials: complain mode allows only accesses whose denial is reported. */
export const quietAbstractions: readonly string[] = ['private-files', 'private-files-strict']
