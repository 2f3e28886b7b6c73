/**
 * Hooks of the kernel to which vArmor attaches no program, by the reason. `programs.test.ts` compares them and
 * `native/bpf` with the hooks of each kernel, so that an engineer judges a new kernel hook before it is ignored.
 */
const byReason: Record<string, string> = {
  'It keeps memory of a security module, or labels, and decides nothing that a rule is about.': `
    audit_rule_free audit_rule_init audit_rule_known audit_rule_match backing_file_alloc backing_file_free bdev_alloc_security
    bdev_free_security bdev_setintegrity bpf_map_alloc_security bpf_map_free_security bpf_map_free bpf_prog_alloc_security
    bpf_prog_free_security bpf_prog_alloc bpf_prog_free bpf_prog_aux_alloc_security bpf_token_free bprm_committed_creds
    bprm_committing_creds cred_free cred_getlsmprop cred_getsecid cred_transfer current_getlsmprop_subj current_getsecid_subj
    d_instantiate dentry_create_files_as dentry_init_security file_alloc_security file_free_security file_release
    file_set_fowner fs_context_dup fs_context_submount getprocattr getselfattr ib_alloc_security ib_free_security
    inet_conn_established inet_csk_clone initramfs_populated inode_alloc_security inode_copy_up inode_copy_up_xattr
    inode_free_security inode_free_security_rcu inode_getlsmprop inode_getsecctx inode_getsecid inode_getsecurity
    inode_init_security inode_invalidate_secctx inode_killpriv inode_listsecurity inode_need_killpriv inode_notifysecctx
    inode_post_create_tmpfile inode_post_remove_acl inode_post_removexattr inode_post_set_acl inode_post_setattr
    inode_post_setxattr inode_setintegrity inode_setsecctx inode_setsecurity inode_xattr_skipcap ipc_getlsmprop ipc_getsecid
    ismaclabel kernel_act_as kernel_create_files_as kernfs_init_security key_alloc key_free key_getsecurity
    key_post_create_or_update lsmprop_to_secctx msg_msg_alloc_security msg_msg_free_security msg_queue_alloc_security
    msg_queue_free_security path_post_mknod perf_event_alloc perf_event_free release_secctx req_classify_flow
    sb_alloc_security sb_clone_mnt_opts sb_delete sb_eat_lsm_opts sb_free_mnt_opts sb_free_security sb_mnt_opts_compat
    sb_set_mnt_opts sb_show_options sb_add_mnt_opt sb_parse_opts_str sctp_assoc_established sctp_sk_clone secctx_to_secid
    secid_to_secctx secmark_refcount_dec secmark_refcount_inc secmark_relabel_packet sem_alloc_security sem_free_security
    setprocattr setselfattr shm_alloc_security shm_free_security sk_alloc_security sk_clone_security sk_free_security
    sk_getsecid sock_graft socket_getpeersec_dgram socket_getpeersec_stream socket_post_create task_getlsmprop_obj
    task_getsecid task_getsecid_obj task_getsecid_subj task_to_inode tun_dev_alloc_security tun_dev_free_security
    xfrm_decode_session xfrm_policy_alloc_security xfrm_policy_clone_security xfrm_policy_delete_security
    xfrm_policy_free_security xfrm_policy_lookup xfrm_state_alloc xfrm_state_alloc_acquire xfrm_state_delete_security
    xfrm_state_free_security xfrm_state_pol_flow_match`,
  'Another hook is asked for the same call, and knows the path of the file.': `
    bprm_check_security bprm_creds_from_file file_post_open inode_create inode_link inode_mkdir inode_mknod inode_rename
    inode_rmdir inode_symlink mmap_backing_file sb_remount fs_context_parse_param`,
  'It is asked for each step or each byte of what another hook has allowed, which would cost more than it refuses.': `
    file_permission inode_permission inode_follow_link socket_recvmsg socket_sock_rcv_skb vm_enough_memory mmap_addr`,
  'It reads what stands beside the content of a file, and no rule is about that (LIMITS.md).': `
    inode_get_acl inode_getattr inode_getxattr inode_listxattr inode_readlink path_notify inode_file_getattr sb_statfs
    path_chroot file_lock file_send_sigiotask quota_on quotactl`,
  'Capabilities have a hook of their own, which is asked as well.': `
    capget capset perf_event_open perf_event_read perf_event_write settime syslog locked_down task_fix_setgid
    task_fix_setgroups task_fix_setuid task_setnice task_setioprio task_setscheduler task_setrlimit task_prlimit
    tun_dev_attach tun_dev_attach_queue tun_dev_create tun_dev_open kernel_module_request kernel_load_data
    kernel_post_load_data kernel_read_file kernel_post_read_file bpf_token_capable`,
  'Loading a program and making a map are judged by the hook for bpf(2).': `
    bpf_map_create bpf_prog_load bpf_token_cmd bpf_token_create`,
  'Connecting and sending to a UNIX socket have hooks of their own, which are asked after it.': `
    unix_find`,
  'No rule is about it.': `
    binder_set_context_mgr binder_transaction binder_transfer_binder binder_transfer_file ib_endport_manage_subnet
    ib_pkey_access inet_conn_request ipc_permission key_permission msg_queue_associate msg_queue_msgctl msg_queue_msgrcv
    msg_queue_msgsnd netlink_send sctp_assoc_request sem_associate sem_semctl sem_semop shm_associate shm_shmat shm_shmctl
    socket_accept socket_bind socket_getpeername socket_getsockname socket_getsockopt socket_listen socket_shutdown
    socket_socketpair task_getioprio task_getpgid task_getscheduler task_getsid task_kill task_movememory task_prctl
    task_setpgid mptcp_add_subflow uring_allowed uring_cmd uring_override_creds uring_sqpoll`,
}

export const unusedHooks: ReadonlyMap<string, string> = new Map(
  Object.entries(byReason).flatMap(([reason, hooks]) =>
    hooks
      .trim()
      .split(/\s+/)
      .map((hook) => [hook, reason] as const),
  ),
)

/** Kernel types whose names start like names of hooks, but that are not hooks. */
const notHooks = [
  'find_cgroup_shim',
  'func_proto',
  'get_retval_range',
  'has_d_inode_locked',
  'hook_returns_errno',
  'init',
  'is_sleepable_hook',
  'is_trusted',
  'verify_prog',
]

/** Finds the hooks in a list of names of a kernel's types, with one name per line. */
export const hooksOf = (words: string): string[] =>
  [...new Set(words.split('\n'))]
    .flatMap((word) => /^bpf_lsm_([a-z0-9_]+)$/.exec(word)?.[1] ?? [])
    .filter((name) => !notHooks.includes(name))
