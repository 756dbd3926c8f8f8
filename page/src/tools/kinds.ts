// What each tool does, in words: the icon, the verb and the thing it is done to.
import { field, nameOf, type ToolPart } from "../chat/parts";
import type { IconName } from "../shell/icon";

export interface Kind {
  icon: IconName;
  /** While it is asked for or runs. */
  doing: string;
  /** When it is over. */
  done: string;
  /** What it is about: a path, a command, a query. */
  about: string;
  shape: "look" | "edit" | "command" | "other";
}

type Row = [icon: IconName, doing: string, done: string, shape: Kind["shape"], ...fields: string[]];

const ROWS: Record<string, Row> = {
  read_file: ["file", "Read", "Read", "look", "path"],
  getFileContents: ["file", "Read", "Read", "look", "path"],
  list_files: ["folder", "List", "Listed", "look", "path", "directory"],
  glob: ["search", "Find", "Found", "look", "pattern"],
  search: ["search", "Search", "Searched", "look", "pattern", "query"],
  searchCode: ["search", "Search", "Searched", "look", "query"],
  git_status: ["branch", "Look at the status", "Looked at the status", "look"],
  git_diff: ["branch", "Compare", "Compared", "look", "path", "from"],
  git_log: ["branch", "Look at the history", "Looked at the history", "look", "path"],
  replace: ["edit", "Edit", "Edited", "edit", "path"],
  apply_patch: ["edit", "Patch", "Patched", "edit"],
  write_file: ["edit", "Write", "Wrote", "edit", "path"],
  createFile: ["edit", "Create", "Created", "edit", "path"],
  move_file: ["file", "Move", "Moved", "edit", "from", "path"],
  delete_file: ["trash", "Delete", "Deleted", "edit", "path"],
  run_command: ["terminal", "Run", "Ran", "command", "command"],
  runCommand: ["terminal", "Run", "Ran", "command", "command"],
  executeCommand: ["terminal", "Run", "Ran", "command", "command"],
  start_job: ["terminal", "Start", "Started", "command", "command"],
  git_commit: ["commit", "Commit", "Committed", "other", "message"],
  git_branch: ["branch", "Branch", "Branched", "other", "name", "branch"],
  git_push: ["arrow-up", "Push", "Pushed", "other", "branch", "remote"],
  clone_repository: ["download", "Clone", "Cloned", "other", "url", "repository"],
  createPullRequest: ["branch", "Open a pull request", "Opened a pull request", "other", "title"],
  setProjectContext: ["info", "Note the project", "Noted the project", "look", "repo", "repoName"],
  getProjectContext: ["info", "Look up the project", "Looked up the project", "look"],
  scheduleTask: ["clock", "Schedule", "Scheduled", "other", "description"],
};

export function kindOf(part: ToolPart): Kind {
  const name = nameOf(part);
  const [icon, doing, done, shape, ...fields] = ROWS[name] ?? guess(name);
  const about = fields.length ? field(part.input, ...fields) : "";
  return { icon, doing, done, about, shape };
}

/** Tools nobody here has heard of: their name, and the first text of their input. */
function guess(name: string): Row {
  const words = name.replace(/_/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  const title = words.charAt(0).toUpperCase() + words.slice(1);
  const icon: IconName = /github|issue|pull/.test(words) ? "globe" : /plan|task|note/.test(words) ? "plan" : "tool";
  return [icon, title, title, "other", "path", "title", "name", "query", "url", "goal", "text"];
}
