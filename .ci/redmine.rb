# Fills Redmine's empty database, the same way every time. Run by `rails runner`, with the file for the key of the API.

# Redmine writes while it reads (which projects somebody used), and readers must not wait for that.
ActiveRecord::Base.connection.execute('PRAGMA journal_mode = WAL')
ActiveRecord::Migration.verbose = false
ActiveRecord::Tasks::DatabaseTasks.migrate
ActiveRecord::Base.descendants.each(&:reset_column_information)

USERS, ISSUES = 20, 230
START = Time.utc(2024, 1, 1)

ActiveRecord::Base.transaction do
  Redmine::DefaultData::Loader.load('en')
  Setting.rest_api_enabled = '1'
  Setting.notified_events = []
  Setting.default_projects_modules = ['issue_tracking']

  admin = User.find_by_login('admin')
  admin.update!(must_change_passwd: false)
  users = (1..USERS).map do |n|
    user = User.new(firstname: %w[Ada Bjørn Chloé Dmitri D'Arcy][n % 5], lastname: "Number #{n}", language: 'en',
                    mail: format('user%02d@%s', n, %w[example.com example.biz mail.example.biz][n % 3]))
    user.login = format('user%02d', n)
    user.password = user.password_confirmation = 'password'
    user.save!
    user
  end

  seed, = %w[seed moving].map do |identifier|
    project = Project.create!(name: identifier, identifier: identifier, is_public: true)
    users.each { |user| Member.create!(project: project, principal: user, roles: [Role.givable.first]) }
    project
  end
  open, closed = IssueStatus.where(is_closed: false).first, IssueStatus.where(is_closed: true).first
  priority = IssuePriority.default || IssuePriority.first

  # Row by row, for Redmine itself takes half a minute.
  journals = []
  Issue.insert_all!((1..ISSUES).map do |n|
    time = START + n * 40_000
    (n % 4).times do |entry|
      # Some only change something and say nothing.
      notes = entry == 2 ? '' : "Entry #{entry} of #{n}: \"yes\" 👍"
      journals << { id: journals.size + 1, journalized_id: n, journalized_type: 'Issue', notes: notes,
                    user_id: users[(n + entry) % USERS].id, private_notes: false,
                    created_on: time + 3_600 * (entry + 1) }
    end
    {
      id: n, root_id: n, lft: 1, rgt: 2, project_id: seed.id, tracker_id: seed.trackers.first.id,
      author_id: users[n * n % USERS].id, priority_id: priority.id, status_id: (n % 4 == 0 ? closed : open).id,
      subject: "Issue #{n}#{['', ' & more', ' "in quotes"', ' – naïve café', ' <em>now</em>', ' 🦀'][n % 6]}",
      description: n % 9 == 0 ? nil : "What is wrong with #{n}.\r\n" * (n % 5), done_ratio: n % 4 * 10,
      created_on: time, updated_on: time + 3_600 * (n % 4), start_date: time.to_date
    }
  end)
  Journal.insert_all!(journals)
  JournalDetail.insert_all!(journals.map do |journal|
    { journal_id: journal[:id], property: 'attr', prop_key: 'done_ratio', old_value: '0', value: '10' }
  end)

  found = [User.where(type: 'User').count, Issue.count, Journal.count]
  raise "Redmine holds #{found}" unless found == [USERS + 1, ISSUES, 345]

  File.write(ARGV[0], admin.api_key)
end
