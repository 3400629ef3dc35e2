/// The version of this build, as in `CHANGELOG.md`. Shown by `--version`, in `jobqueue_build_info`, and for workers.
public enum ProductVersion {
    public static let text = "0.1.0"
}
