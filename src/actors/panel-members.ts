/** Who sits on the panel that `validate` asks for. Pure. */
import type { ValidateDefinition } from './validate-definition.ts';

export interface PanelMember {
  /** Name of an agent. */
  readonly agent: string;
  /** Where `validate` names it. */
  readonly path: readonly (string | number)[];
  /** Variables that its prompt reads besides those of the step, `question` and `answer`. */
  readonly reads: readonly string[];
  /** Property of its answer that decides; null of one who does not decide. */
  readonly accept: string | null;
}

/** The agents that examine, in the order in which they are asked; none for a vote. */
export function panelMembers(validate: ValidateDefinition): readonly PanelMember[] {
  switch (validate.pattern) {
    case 'vote':
      return [];
    case 'critic': {
      const { critic: agent, judge, accept } = validate;
      const critic = { agent, path: ['critic'], reads: [], accept };
      return judge === undefined
        ? [critic]
        : [critic, { agent: judge, path: ['judge'], reads: ['critique'], accept }];
    }
    case 'debate': {
      const { opponents, judge, accept } = validate;
      const reads = ['debate'];
      return [
        ...opponents.map((agent, index) => ({
          agent,
          path: ['opponents', index],
          reads,
          accept: null,
        })),
        { agent: judge, path: ['judge'], reads, accept },
      ];
    }
    case 'code': {
      const { agent } = validate;
      return agent === undefined ? [] : [{ agent, path: ['agent'], reads: [], accept: null }];
    }
  }
}
