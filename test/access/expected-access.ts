/**
 * Who may do what, to be read by people: written by hand, not made from the contract. A change of it is a change of what
 * HPS lets in, and wants a reviewer.
 *
 *   ok  done; its effect is seen
 *   U   UNAUTHENTICATED, by the interceptor
 *   D   PERMISSION_DENIED, by the interceptor: not this kind of caller, or no such role anywhere
 *   d   PERMISSION_DENIED, by the core: seen, but the role in the object's cluster is too low
 *   N   NOT_FOUND, by the core: an object of another cluster or host is as absent as one that does not exist
 *   -   answered, without the object: a list shows what is one's own
 *
 * U, D, d and N change no table but audit and are one event there; - is no refusal and none.
 * Columns as in identities.ts.
 */
import type { Cell } from "./cell.ts";
import { NAMES, type WhoName } from "./identities.ts";

const TABLE = `
                                          no wro exp rev res sus wai oIn oHo ins hos nRo vie ope adm bOp bAd bAV aOp aAd
AgentService/Attach                       U  U   U   U   U   U   ok  ok  ok  ok  ok  D   D   D   D   D   D   D   D   D
AgentService/GetConfiguration             U  U   U   U   U   U   U   N   N   ok  ok  D   D   D   D   D   D   D   D   D
AgentService/IssueHostCertificate         U  U   U   U   U   U   D   N   D   ok  D   D   D   D   D   D   D   D   D   D
AgentService/RenewDirectAccess            U  U   U   U   U   U   U   ok  ok  ok  ok  D   D   D   D   D   D   D   D   D
AgentService/DeliverRecording             U  U   U   U   U   U   U   ok  ok  ok  ok  D   D   D   D   D   D   D   D   D
AgentService/ServeShell                   U  U   U   U   U   U   U   N   N   ok  ok  D   D   D   D   D   D   D   D   D

AuditService/ListAuditEvents              U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
AuditService/ListAuditEvents of all       U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok
AuditService/WatchAuditEvents             U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
AuditService/WatchAuditEvents of all      U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok
AuditService/VerifyAuditLog               U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   ok  ok

ClusterService/GetCluster                 U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ClusterService/ListClusters               U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok
ClusterService/CreateCluster              U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
ClusterService/UpdateCluster              U  U   U   U   U   U   D   D   D   D   D   D   D   D   ok  D   N   d   D   ok
ClusterService/DeleteCluster              U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok

GrantService/CreateGrant                  U  U   U   U   U   U   D   D   D   D   D   D   D   D   ok  D   N   d   D   ok
GrantService/ListGrants                   U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
GrantService/ListGrants of all            U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok
GrantService/DeleteGrant                  U  U   U   U   U   U   D   D   D   D   D   D   D   D   ok  D   N   d   D   ok

HostService/GetHost                       U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
HostService/GetHost by name               U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
HostService/ListHosts                     U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
HostService/ListHosts of all              U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok
HostService/CreateHost                    U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
HostService/UpdateHost                    U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
HostService/DeleteHost                    U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
HostService/ArmHost                       U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
HostService/DisarmHost                    U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
HostService/RebootHost                    U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
HostService/WatchHosts                    U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
HostService/WatchHosts of all             U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok
HostService/ListContacts                  U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   ok  ok

IdentityService/WhoAmI                    U  U   U   U   U   U   U   ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok
IdentityService/GetOperator               U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
IdentityService/ListOperators             U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
IdentityService/InviteOperator            U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
IdentityService/SetOperatorRoles          U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
IdentityService/DeleteOperator            U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
IdentityService/ListCertificates          U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
IdentityService/RevokeCertificate         U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
IdentityService/PrepareIntermediate       U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
IdentityService/InstallIntermediate       U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
IdentityService/RotateServerCertificate   U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok

ImageService/ImportImage                  U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ImageService/UploadImage                  U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ImageService/UploadImage of all clusters  U  U   U   U   U   U   D   D   D   D   D   D   D   d   d   d   d   d   d   ok
ImageService/GetManifest                  U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ImageService/GetManifest of all clusters  U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  ok  ok  ok  ok  ok
ImageService/ReadPack                     U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ImageService/ReadPack of all clusters     U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  ok  ok  ok  ok  ok
ImageService/GetImage                     U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ImageService/GetImage of all clusters     U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  ok  ok  ok  ok  ok
ImageService/ListImages                   U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ImageService/ListImages of all            U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok
ImageService/TagImage                     U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ImageService/TagImage of all clusters     U  U   U   U   U   U   D   D   D   D   D   D   D   d   d   d   d   d   d   ok
ImageService/DeleteImage                  U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ImageService/DeleteImage of all clusters  U  U   U   U   U   U   D   D   D   D   D   D   D   d   d   d   d   d   d   ok
ImageService/CollectImages                U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ImageService/CollectImages of all clusters  U  U   U   U   U   U   D   D   D   D   D   D   D   d   d   d   d   d   d   ok
ImageService/AddImageSignature            U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ImageService/AddImageSignature of all clusters  U  U   U   U   U   U   D   D   D   D   D   D   D   d   d   d   d   d   d   ok
ImageService/GetImageKeys                 U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ImageService/SetImageKeys                 U  U   U   U   U   U   D   D   D   D   D   D   D   D   ok  D   N   d   D   ok
ImageService/VerifyImages                 U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ImageService/VerifyImages of all clusters   U  U   U   U   U   U   D   D   D   D   D   D   D   d   d   d   d   d   d   ok
ImageService/MakeDelta                    U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ImageService/MakeDelta of all clusters      U  U   U   U   U   U   D   D   D   D   D   D   D   d   d   d   d   d   d   ok

InstallerService/ImportInstaller          U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   D   ok
InstallerService/GetInstaller             U  U   U   U   U   U   D   D   D   D   D   D   D   D   D   D   D   D   ok  ok

InstallationService/GetInstallation       U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
InstallationService/ListInstallations     U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
InstallationService/ListInstallations of a host
                                          U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
InstallationService/ListInstallations of all
                                          U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok
InstallationService/WatchInstallation     U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
InstallationService/WatchInstallationLog  U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
InstallationService/RetryInstallation     U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
InstallationService/CancelInstallation    U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
InstallationService/UnfreezeInstallation  U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
InstallationService/PauseReboot           U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
InstallationService/ResumeReboot          U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
InstallationService/IssueClaim            U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
InstallationService/ApproveEnrolment      U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok

ShellService/OpenSession                  U  U   U   U   U   U   D   D   D   D   D   D   d   ok  ok  N   N   d   ok  ok
ShellService/OpenSession by grant         U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ShellService/AttachSession                U  U   U   U   U   U   D   D   D   D   D   D   d   ok  ok  N   N   d   ok  ok
ShellService/AttachSession by grant       U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ShellService/ApproveSession               U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ShellService/KillSession                  U  U   U   U   U   U   D   D   D   D   D   D   D   ok  ok  N   N   d   ok  ok
ShellService/CreateSessionLink            U  U   U   U   U   U   D   D   D   D   D   D   d   ok  ok  N   N   d   ok  ok
ShellService/CreateSessionLink by grant   U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ShellService/GetSession                   U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ShellService/ListSessions                 U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ShellService/ListSessions of all          U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok
ShellService/ReadRecording                U  U   U   U   U   U   D   D   D   D   D   D   d   ok  ok  N   N   d   ok  ok
ShellService/ReadRecording by grant       U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok
ShellService/VerifyRecording              U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  N   N   ok  ok  ok

SystemService/GetStatus                   U  U   U   U   U   U   D   D   D   D   D   D   ok  ok  ok  -   -   ok  ok  ok

Health/Check                              ok ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok
Health/List                               U  U   U   U   U   U   D   D   D   D   D   ok  ok  ok  ok  ok  ok  ok  ok  ok
Health/Watch                              U  U   U   U   U   U   D   D   D   D   D   ok  ok  ok  ok  ok  ok  ok  ok  ok
ServerReflection/ServerReflectionInfo     U  U   U   U   U   U   D   D   D   D   D   ok  ok  ok  ok  ok  ok  ok  ok  ok
`;

const CELLS: readonly Cell[] = ["ok", "-", "U", "D", "d", "N"];

/** By the name of a row, then by identity. */
export const EXPECTED: ReadonlyMap<string, ReadonlyMap<WhoName, Cell>> = readTable();

function readTable(): ReadonlyMap<string, ReadonlyMap<WhoName, Cell>> {
  const lines = TABLE.replaceAll(/(\S)\n {20,}/g, "$1  ")
    .split("\n")
    .filter((line) => line.includes("/"));
  return new Map(
    lines.map((line) => {
      const [name = "", ...words] = line.split(/\s{2,}|(?<=ok) (?=ok|U|D)/);
      if (words.length !== NAMES.length) throw new Error(`${name} has ${words.length} cells, not ${NAMES.length}`);
      return [name, new Map(NAMES.map((who, index) => [who, cellOf(words[index])]))];
    }),
  );
}

function cellOf(word: string | undefined): Cell {
  const cell = CELLS.find((each) => each === word);
  if (cell === undefined) throw new Error(`no cell is ${word}`);
  return cell;
}
