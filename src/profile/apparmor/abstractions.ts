/**
 * Abstractions of AppArmor 2.13 to 4.1 that, with the files that they include, have no transition to another profile.
 * Others are refused: some run programs outside of the profile (`ubuntu-*`, `opencl`), and files of a node have unknown
 * content.
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
