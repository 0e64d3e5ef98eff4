/**
 * What a token may do. A token has one role or several, and each role gives
 * rights; the rights of several add up. `operate` does not give `approve`, nor
 * the other way round: whoever starts what an agent does need not be the person
 * who permits what it may do outside.
 */

export const accessRoles = ['viewer', 'operator', 'approver'] as const;
export type AccessRole = (typeof accessRoles)[number];

/** `read` shows, `operate` starts, changes and ends, `approve` permits. */
export type AccessRight = 'read' | 'operate' | 'approve';

const rightsOfRole: Readonly<Record<AccessRole, readonly AccessRight[]>> = {
  viewer: ['read'],
  operator: ['read', 'operate'],
  approver: ['read', 'approve'],
};

export function hasRight(roles: readonly AccessRole[], right: AccessRight): boolean {
  return roles.some((role) => rightsOfRole[role].includes(right));
}

/** The role to ask for where a right is missing. */
export const roleOfRight: Readonly<Record<AccessRight, AccessRole>> = {
  read: 'viewer',
  operate: 'operator',
  approve: 'approver',
};
